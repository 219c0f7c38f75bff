"""Calls decided through the webhook."""

from __future__ import annotations

import json

import pytest
from structlog.typing import EventDict

from gatekeeper.domain.call import Direction
from gatekeeper.domain.route import DropMessage, Route
from tests.web.gate import CALLER, DEFAULT_URL, NUMBER, SUBACCOUNT_SID, Gate, days_ago, new_call

OWN_URL = "https://able.example.com/answer"
NUMBER_URL = "https://able.example.com/sales"


def test_an_answered_call_goes_on_and_costs_one_credit(gate: Gate) -> None:
    able = gate.open_account(2)
    answer = gate.incoming(new_call())
    assert answer.redirect == DEFAULT_URL
    assert gate.balance(able) == 1


def test_an_empty_account_drops_politely_and_pays_nothing(gate: Gate) -> None:
    able = gate.open_account(0)
    answer = gate.incoming(new_call())
    assert answer.dropped
    assert not {"credit", "balance", "bill", "pay"} & set(answer.said.lower().split())
    assert gate.balance(able) == 0


@pytest.mark.parametrize("credits", [0, 1])
def test_the_same_call_is_told_the_same_however_often_it_is_asked_for(
    gate: Gate, credits: int
) -> None:
    able = gate.open_account(credits)
    call = new_call()
    answers = [gate.incoming(call), gate.incoming(call), gate.fallback(call), gate.incoming(call)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].answered == bool(credits)
    assert gate.balance(able) == 0
    assert len([entry for entry in gate.entries(able) if entry.ref == call]) == 1


def test_a_drop_stands_though_credits_came_in_meanwhile(gate: Gate) -> None:
    able = gate.open_account(0)
    call = new_call()
    assert gate.incoming(call).dropped
    gate.ledger().accounts.add_credits(able, 5, reference="r", cause="test")
    assert gate.incoming(call).dropped
    assert gate.fallback(call).dropped
    assert gate.incoming(new_call()).answered


def test_the_fallback_url_decides_a_call_that_never_got_through(gate: Gate) -> None:
    able = gate.open_account(1)
    call = new_call()
    assert gate.fallback(call, ErrorCode="11200").answered
    assert gate.incoming(call).answered
    assert gate.balance(able) == 0


def test_another_twilio_account_may_use_the_same_call_sid(gate: Gate) -> None:
    able = gate.open_account(2)
    call = new_call()
    assert gate.incoming(call).answered
    assert gate.incoming(call, AccountSid=SUBACCOUNT_SID).answered
    assert gate.balance(able) == 0


def test_a_child_leg_is_not_a_new_call(gate: Gate, logged: list[EventDict]) -> None:
    able = gate.open_account(2)
    for to in (NUMBER, "sip:desk@example.com", "client:anna"):
        answer = gate.incoming(new_call(), ParentCallSid=new_call(), To=to)
        assert answer.verbs == []
    assert gate.balance(able) == 2


def test_an_outbound_call_is_paid_by_the_account_it_comes_from(gate: Gate) -> None:
    able = gate.open_account(2)
    baker = gate.open_account(2, "+15550002222")
    answer = gate.incoming(
        new_call(), Direction="outbound-api", From=NUMBER, To="+15550002222", CallStatus="queued"
    )
    assert answer.answered
    assert (gate.balance(able), gate.balance(baker)) == (1, 2)


@pytest.mark.parametrize("credits", [1, 0])
@pytest.mark.parametrize(
    ("said", "direction"),
    [
        ("outbound-api", Direction.OUTBOUND),
        ("inbound", Direction.INBOUND),
        ("odd", Direction.INBOUND),
    ],
)
def test_every_entry_of_a_call_says_which_way_it_went(
    gate: Gate, credits: int, said: str, direction: Direction
) -> None:
    able, call = gate.open_account(credits), new_call()
    parties = {"Direction": said, "From": NUMBER, "To": NUMBER}
    gate.incoming(call, **parties)
    gate.status(call, **parties)
    told = [entry for entry in gate.entries(able) if entry.ref == call]
    assert [entry.direction for entry in told] == [direction] * 2


def test_a_number_that_is_nobodys_is_rejected(gate: Gate, logged: list[EventDict]) -> None:
    able = gate.open_account(1)
    answer = gate.incoming(new_call(), To="+15550009999")
    assert answer.verbs == ["Reject"]
    assert gate.balance(able) == 1
    (line,) = logged
    assert line["log_level"] == "warning"
    assert line["reason"] == "unknown_number"
    assert line["number"] == "+1555*****99"


def test_a_released_number_is_rejected(gate: Gate) -> None:
    able = gate.open_account(1)
    gate.ledger().numbers.release_number(NUMBER, able)
    assert gate.incoming(new_call()).verbs == ["Reject"]


def test_a_number_counts_as_soon_as_it_is_assigned(gate: Gate) -> None:
    able = gate.open_account(1, "+15550002222")
    assert gate.incoming(new_call()).verbs == ["Reject"]
    gate.ledger().numbers.assign_number(NUMBER, able)
    assert gate.incoming(new_call()).answered


def test_the_numbers_route_comes_before_the_accounts_and_that_before_the_default(
    gate: Gate,
) -> None:
    able = gate.open_account(9, NUMBER, "+15550002222")
    ledger = gate.ledger()
    ledger.accounts.update_account(able, route=Route.parse(OWN_URL).to_text())
    ledger.numbers.assign_number("+15550002222", able, Route.parse(NUMBER_URL).to_text())
    assert gate.incoming(new_call()).redirect == OWN_URL
    assert gate.incoming(new_call(), To="+15550002222").redirect == NUMBER_URL
    ledger.accounts.update_account(able, route="")
    assert gate.incoming(new_call()).redirect == DEFAULT_URL


def test_an_account_may_have_its_own_drop_message(gate: Gate) -> None:
    able = gate.open_account(0)
    message = DropMessage("Wir sind gerade nicht da.", language="de-DE", voice="Polly.Vicki")
    gate.ledger().accounts.update_account(able, drop_message=message.to_text())
    answer = gate.incoming(new_call())
    assert answer.dropped
    assert answer.said == "Wir sind gerade nicht da."
    assert 'language="de-DE"' in answer.text


@pytest.mark.parametrize("text", ["x", "{}", '{"kind":"redirect","target":"ftp://x"}', "[1]", "\0"])
def test_a_stored_text_that_cannot_be_read_never_costs_a_call(
    gate: Gate, logged: list[EventDict], text: str
) -> None:
    able = gate.open_account(1)
    gate.ledger().accounts.update_account(able, route=text, drop_message=text)
    assert gate.incoming(new_call()).redirect == DEFAULT_URL
    dropped = gate.incoming(new_call())
    assert dropped.said == gate.parts.drop_message.text
    errors = [line for line in logged if line["event"] == "stored_text_unreadable"]
    assert [(line["what"], line["account"]) for line in errors] == [
        ("route", able),
        ("drop_message", able),
    ]


def test_a_decision_is_one_log_line_without_whole_numbers(
    gate: Gate, logged: list[EventDict]
) -> None:
    able = gate.open_account(3)
    call = new_call()
    gate.incoming(call)
    (line,) = logged
    micros = line.pop("micros")
    assert 0 < micros < 2_000_000
    assert line == {
        "event": "call_decided",
        "log_level": "info",
        "account": able,
        "call": call,
        "direction": "inbound",
        "number": "+1555*****11",
        "caller": "+1555*****21",
        "decision": "answer",
        "reason": "allotment",
        "balance": 2,
        "repeated": False,
    }
    gate.fallback(
        call, ErrorCode="11205", ErrorUrl="https://u:pass-word@gate.example.com/x?key=secret"
    )
    repeat = logged[-1]
    assert repeat["repeated"] is True
    assert repeat["error_code"] == "11205"
    assert repeat["error_host"] == "gate.example.com"
    written = json.dumps(logged)
    assert not any(secret in written for secret in (NUMBER, CALLER, "secret", "pass-word"))


@pytest.mark.parametrize("url", ["", "http://[", "::", "x" * 5000, "https://\u2028\n/"])
@pytest.mark.parametrize("code", ["", "11200; DROP", "9" * 50])
def test_an_odd_reason_for_the_fallback_changes_nothing(
    gate: Gate, logged: list[EventDict], url: str, code: str
) -> None:
    gate.open_account(1)
    assert gate.fallback(new_call(), ErrorUrl=url, ErrorCode=code).answered
    assert len(json.dumps(logged)) < 1000


def test_a_decision_is_one_round_trip(gate: Gate) -> None:
    able = gate.open_account(9)
    baker = gate.open_account(9, "+15550002222")
    gate.ledger(days_ago(4)).numbers.release_number(NUMBER, able)
    gate.ledger(days_ago(3)).numbers.assign_number(NUMBER, baker)
    gate.incoming(new_call())  # connects, and looks the number up
    client = gate.ledger().client
    client.ping()

    def reads() -> int:
        return int(client.info("stats")["total_reads_processed"])

    before = reads()
    for _ in range(3):
        gate.incoming(new_call())
    assert reads() - before == 3 + 1  # the last one is INFO itself
    assert gate.balance(baker) == 5
