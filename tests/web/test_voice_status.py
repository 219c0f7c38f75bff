"""The end of calls, through the status callback."""

from __future__ import annotations

import json

import pytest
from structlog.typing import EventDict

from gatekeeper.domain.call import CallState
from gatekeeper.ledger.store import wall_clock_ms
from tests.web.gate import CALLER, NUMBER, Gate, new_call

NOT_ANSWERED = ["busy", "failed", "no-answer", "canceled"]


def state(gate: Gate, call: str) -> CallState | None:
    found = gate.ledger().calls.find(call)
    return found[0].record.state if found else None


def test_a_completed_call_keeps_its_credit(gate: Gate) -> None:
    able = gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    response = gate.status(call)
    assert response.status_code == 200
    assert response.mimetype == "text/xml"
    assert gate.balance(able) == 1
    assert state(gate, call) is CallState.KEPT


@pytest.mark.parametrize("end", NOT_ANSWERED)
def test_a_call_that_was_not_answered_gives_its_credit_back(gate: Gate, end: str) -> None:
    able = gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    assert gate.status(call, end, duration="0").status_code == 200
    assert gate.balance(able) == 2
    assert state(gate, call) is CallState.RELEASED


@pytest.mark.parametrize(
    ("ends", "left"),
    [
        (["completed", "completed"], 1),
        (["busy", "busy", "busy"], 2),
        (["completed", "busy"], 1),
        (["busy", "completed"], 2),
    ],
)
def test_the_first_end_that_arrives_wins(gate: Gate, ends: list[str], left: int) -> None:
    able = gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    for end in ends:
        assert gate.status(call, end).status_code == 200
    assert gate.balance(able) == left


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress", "answered"])
def test_a_call_that_lives_is_not_settled(gate: Gate, logged: list[EventDict], status: str) -> None:
    able = gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    assert gate.status(call, status, duration=None).status_code == 200
    assert state(gate, call) is CallState.OPEN
    assert gate.balance(able) == 1


def test_the_end_of_a_child_leg_settles_nothing(gate: Gate) -> None:
    able = gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    assert gate.status(new_call(), "no-answer", ParentCallSid=call).status_code == 200
    assert gate.status(call, "no-answer", ParentCallSid=new_call()).status_code == 200
    assert state(gate, call) is CallState.OPEN
    assert gate.balance(able) == 1


def test_a_dropped_call_completes_without_a_cost(gate: Gate) -> None:
    able = gate.open_account(0)
    call = new_call()
    assert gate.incoming(call).dropped
    gate.status(call)
    assert gate.balance(able) == 0
    assert state(gate, call) is CallState.CLOSED


def test_the_end_of_a_call_to_nobodys_number_is_noted_and_changes_nothing(
    gate: Gate, logged: list[EventDict]
) -> None:
    able = gate.open_account(2)
    call = new_call()
    assert gate.status(call, To="+15550009999").status_code == 200
    (line,) = logged
    assert line["event"] == "call_end_of_unknown_number"
    assert line["log_level"] == "warning"
    assert gate.balance(able) == 2
    assert state(gate, call) is None


@pytest.mark.parametrize("duration", [None, "", "-1", "1.5", "9" * 40, "zwölf"])
def test_an_odd_duration_does_not_lose_the_end(gate: Gate, duration: str | None) -> None:
    gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    assert gate.status(call, duration=duration).status_code == 200
    assert state(gate, call) is CallState.KEPT


def test_an_end_is_one_log_line_without_whole_numbers(gate: Gate, logged: list[EventDict]) -> None:
    able = gate.open_account(2)
    call = new_call()
    gate.incoming(call)
    logged.clear()
    gate.status(call, "busy", duration="0")
    assert logged == [
        {
            "event": "call_settled",
            "log_level": "info",
            "account": able,
            "call": call,
            "number": "+1555*****11",
            "end": "busy",
            "settlement": "released",
            "duration_s": 0,
        }
    ]
    assert not any(number in json.dumps(logged) for number in (NUMBER, CALLER))


def test_a_call_the_ledger_never_saw_was_let_through_without_it(gate: Gate) -> None:
    """Another process let it through during an outage, and ended before it could say so."""
    able = gate.open_account(2)
    call = new_call()
    now_ms = wall_clock_ms()
    gate.ledger().outages.note(now_ms - 60_000, now_ms)
    gate.status(call)
    gate.status(call)
    assert gate.balance(able) == 1
    assert gate.incoming(call).answered  # a late repeat
    assert gate.balance(able) == 1


def test_an_end_that_nobody_here_was_asked_about_costs_nothing(gate: Gate) -> None:
    """Twilio could not reach us, told the caller so, and reports the end all the same."""
    able = gate.open_account(2)
    call = new_call()
    gate.status(call)
    assert gate.balance(able) == 2
    assert state(gate, call) is CallState.UNDECIDED
    assert gate.incoming(call).answered  # its beginning was only late
    assert gate.balance(able) == 1
    gate.status(call, "busy")
    assert gate.balance(able) == 1


@pytest.mark.parametrize("end", NOT_ANSWERED)
def test_one_that_was_not_answered_costs_nothing(gate: Gate, end: str) -> None:
    able = gate.open_account(2)
    gate.status(new_call(), end)
    assert gate.balance(able) == 2


def test_under_the_policy_drop_nothing_was_let_through(gate: Gate) -> None:
    dropping = Gate(gate.redis_url, ledger_down_policy="drop")
    able = dropping.open_account(2)
    dropping.status(new_call())
    assert dropping.balance(able) == 2


def test_a_call_that_began_before_its_number_came_here_costs_nothing(gate: Gate) -> None:
    able = gate.open_account(2)
    now_ms = wall_clock_ms()
    gate.ledger().outages.note(now_ms - 3 * 86_400_000, now_ms)  # so the number alone decides
    gate.status(new_call(), duration=str(2 * 86_400))  # the number has been here for a day
    assert gate.balance(able) == 2
    gate.ledger().numbers.assign_number("+15550002222", able)
    gate.status(new_call(), duration="5", To="+15550002222")
    assert gate.balance(able) == 2
