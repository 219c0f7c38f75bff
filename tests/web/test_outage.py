"""The ledger unreachable (R12): answered in time, by policy, and nothing is lost afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis
from structlog.typing import EventDict

from gatekeeper.domain.call import Direction
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.route import Route
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.web.faults import FAULTS, STALLED, STOPPED, Fault
from tests.web.gate import DEFAULT_URL, NUMBER, Gate, new_call

TIME_LIMIT_S = 2.0
OWN_URL = "https://able.example.com/answer"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("outage")) as valkey:
        yield valkey


@pytest.fixture
def server(own_server: EmbeddedValkey) -> EmbeddedValkey:
    """A server that may be ill-treated, empty."""
    with Redis.from_url(own_server.url) as client:
        client.flushall()
    return own_server


@pytest.fixture(params=FAULTS, ids=lambda fault: fault.name)
def fault(request: pytest.FixtureRequest) -> Fault:
    chosen: Fault = request.param
    return chosen


def in_time(ask: Any, *args: Any, **kwargs: Any) -> Any:
    started_s = time.monotonic()
    answer = ask(*args, **kwargs)
    assert time.monotonic() - started_s < TIME_LIMIT_S
    return answer


def until_recorded(*gates: Gate) -> None:
    """Wait until the ledger takes writes and has heard everything."""

    def recorded(gate: Gate) -> bool:
        page = gate.client.get("/readyz").get_json()
        return bool(page["ready"]) and page["checks"]["ledger"]["unrecorded_calls"] == 0

    wait_until(lambda: all(recorded(gate) for gate in gates))


def debits(gate: Gate, account_id: str, call: str) -> int:
    """How many credits a call costs, by the log."""
    entries = [entry for entry in gate.entries(account_id) if entry.ref == call]
    return -sum(entry.allotment_delta + entry.purchased_delta for entry in entries)


def test_a_call_is_answered_by_the_route_last_seen_and_debited_when_it_ends(
    server: EmbeddedValkey, fault: Fault, logged: list[EventDict]
) -> None:
    gate = Gate(server.url)
    able = gate.open_account(5)
    gate.ledger().accounts.update_account(able, route=Route.parse(OWN_URL).to_text())
    gate.incoming(new_call())
    with fault.strikes(server):
        call = new_call()
        logged.clear()
        assert in_time(gate.incoming, call).redirect == OWN_URL
        (line,) = [event for event in logged if event["event"] == "call_decided"]
        assert (line["decision"], line["reason"]) == ("answer", "ledger_unreachable")
        assert (line["account"], line["balance"]) == (able, None)
    until_recorded(gate)
    gate.status(call)
    gate.status(call)
    assert debits(gate, able, call) == 1
    assert gate.balance(able) == 3


def test_under_the_policy_drop_a_caller_hears_the_message_and_nothing_is_charged(
    server: EmbeddedValkey, fault: Fault
) -> None:
    gate = Gate(server.url, ledger_down_policy="drop")
    able = gate.open_account(5)
    gate.incoming(new_call())
    with fault.strikes(server):
        call = new_call()
        answer = in_time(gate.incoming, call)
        assert answer.dropped
        assert answer.said == gate.parts.drop_message.text
    until_recorded(gate)
    gate.status(call)
    assert debits(gate, able, call) == 0
    assert gate.balance(able) == 4
    assert gate.incoming(call).dropped


def test_an_end_reported_during_the_outage_is_settled_after_it(
    server: EmbeddedValkey, fault: Fault
) -> None:
    gate = Gate(server.url)
    able = gate.open_account(5)
    kept, released, offline = new_call(), new_call(), new_call()
    gate.incoming(kept)
    gate.incoming(released)
    with fault.strikes(server):
        assert in_time(gate.incoming, offline).answered
        ends = [(kept, "completed"), (released, "no-answer"), (offline, "completed")]
        for call, end in ends:
            assert in_time(gate.status, call, end).status_code == 503
        assert in_time(gate.status, kept, "busy").status_code == 503  # the first end wins
    until_recorded(gate)
    assert [debits(gate, able, call) for call, _ in ends] == [1, 0, 1]
    for call, _ in ends:  # Twilio may report it again
        assert gate.status(call, "failed").status_code == 200
    assert gate.balance(able) == 3


@pytest.mark.parametrize("end", ["busy", "failed", "no-answer", "canceled"])
def test_a_call_let_through_that_nobody_took_costs_nothing(
    server: EmbeddedValkey, end: str
) -> None:
    gate = Gate(server.url)
    able = gate.open_account(5)
    with STOPPED.strikes(server):
        call = new_call()
        gate.incoming(call)
        gate.status(call, end)
    until_recorded(gate)
    assert gate.balance(able) == 5


def test_what_was_told_is_repeated_during_the_outage(
    server: EmbeddedValkey, fault: Fault, logged: list[EventDict]
) -> None:
    gate = Gate(server.url)
    able = gate.open_account(1)
    first, dropped = new_call(), new_call()
    gate.incoming(first)
    assert gate.incoming(dropped).dropped
    with fault.strikes(server):
        assert in_time(gate.fallback, dropped).dropped
        assert in_time(gate.incoming, first).answered
        offline = new_call()
        texts = {
            in_time(ask, offline).text for ask in [gate.incoming, gate.fallback, gate.incoming]
        }
        assert len(texts) == 1
        assert logged[-1]["repeated"] is True
    until_recorded(gate)
    assert gate.incoming(offline).answered
    for call in (first, dropped, offline):
        gate.status(call)
    assert gate.balance(able) == -1


def test_a_number_this_process_has_never_seen_goes_the_default_way(
    server: EmbeddedValkey, fault: Fault
) -> None:
    able = Gate(server.url).open_account(5)
    with fault.strikes(server):
        gate = Gate(server.url)  # started during the outage
        call = new_call()
        assert in_time(gate.incoming, call).redirect == DEFAULT_URL
        nobodys = in_time(gate.incoming, new_call(), To="+15550009999")
        # Where reads still work it is known to be nobody's.
        assert nobodys.verbs == (["Redirect"] if fault.silent else ["Reject"])
    until_recorded(gate)
    gate.status(call)
    assert gate.balance(able) == 4
    assert debits(gate, able, call) == 1


def test_every_request_in_a_stall_is_answered_in_time(server: EmbeddedValkey) -> None:
    gate = Gate(server.url, web_threads=4)
    able = gate.open_account(50)
    gate.incoming(new_call())
    with STALLED.strikes(server):
        calls = [new_call() for _ in range(24)]
        with ThreadPoolExecutor(8) as pool:
            started_s = time.monotonic()
            answers = list(pool.map(lambda call: in_time(gate.incoming, call), calls))
            taken_s = time.monotonic() - started_s
        assert all(answer.answered for answer in answers)
        # Only the first ones wait for a timeout; with one each, three rounds of eight would.
        assert taken_s < TIME_LIMIT_S
    until_recorded(gate)
    for call in calls:
        gate.status(call)
    assert gate.balance(able) == 50 - 1 - len(calls)


@pytest.mark.parametrize("policy", ["answer", "drop"])
def test_a_debit_carried_out_after_all_counts_as_it_was_told(
    server: EmbeddedValkey, policy: str
) -> None:
    """The request waits in the stalled server's socket; it carries it out when it goes on."""
    gate = Gate(server.url, ledger_down_policy=policy)
    able = gate.open_account(5)
    gate.incoming(new_call())
    with STALLED.strikes(server):
        call = new_call()
        gate.incoming(call)
    until_recorded(gate)
    types = [entry.type for entry in gate.entries(able) if entry.ref == call]
    assert EntryType.CALL_DEBITED in types  # it did carry it out
    gate.status(call)
    assert debits(gate, able, call) == (1 if policy == "answer" else 0)


@pytest.mark.parametrize("said", ["inbound", "outbound-api"])
def test_an_end_that_reaches_another_process_first_is_debited_once(
    server: EmbeddedValkey, said: str
) -> None:
    gate = Gate(server.url)
    able = gate.open_account(5)
    parties = {"Direction": said, "From": NUMBER, "To": NUMBER}
    gate.incoming(new_call())
    with STOPPED.strikes(server):
        call = new_call()
        assert gate.incoming(call, **parties).answered
    Gate(server.url).status(call, **parties)
    until_recorded(gate)
    gate.status(call, **parties)
    told = {entry.direction for entry in gate.entries(able) if entry.ref == call}
    assert told == {Direction(said.partition("-")[0])}
    assert debits(gate, able, call) == 1
    assert gate.balance(able) == 3


def test_damaged_data_costs_no_call_and_no_other_account(
    server: EmbeddedValkey, logged: list[EventDict]
) -> None:
    gate = Gate(server.url)
    able = gate.open_account(5)
    baker = gate.open_account(5, "+15550002222", "+15550003333")
    ledger = gate.ledger()
    ledger.client.set(ledger.keys.of_account(able).account, "not a hash")
    ledger.client.hdel(ledger.keys.number("+15550003333"), "route")
    for number in (NUMBER, "+15550003333"):
        assert in_time(gate.incoming, new_call(), To=number).answered
        assert logged[-1]["reason"] == "ledger_unreachable"
    assert in_time(gate.status, new_call(), To=NUMBER).status_code == 503
    assert gate.incoming(new_call(), To="+15550002222").answered
    assert logged[-1]["reason"] == "allotment"
    assert gate.balance(baker) == 4
    assert gate.client.get("/readyz").get_json()["checks"]["ledger"]["unrecorded_calls"] == 3


def test_a_number_without_its_account_is_answered_and_given_up(
    server: EmbeddedValkey, logged: list[EventDict]
) -> None:
    """As after a restore from an incomplete backup: nobody is left to charge."""
    gate = Gate(server.url)
    able = gate.open_account(5)
    gate.ledger().client.delete(gate.ledger().keys.of_account(able).account)
    call = new_call()
    assert gate.incoming(call).answered
    until_recorded(gate)
    lost = [line for line in logged if line["event"] == "call_not_recorded"]
    assert [(line["call"], line["why"]) for line in lost] == [(call, "unknown_account")]
