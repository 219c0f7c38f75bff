"""What bounds an outage: time, the journal's size, and the process's end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import RedisError
from structlog.typing import EventDict

from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.ledger.calls import Settlement
from gatekeeper.sandbox.valkey import EmbeddedValkey
from gatekeeper.telephony.request import VoiceRequest
from gatekeeper.web.documents import Documents
from gatekeeper.web.journal import Ending, Journal, Unrecorded
from gatekeeper.web.number_book import NumberBook
from gatekeeper.web.outage import LedgerUnreachable, Outage, error_kind
from gatekeeper.web.reception import Reception
from gatekeeper.web.recorder import Recorded, Recorder
from tests.conftest import wait_until
from tests.web.faults import DEMOTED, FULL, STALLED, WITHOUT_REPLICAS, Fault
from tests.web.gate import ACCOUNT_SID, NUMBER, Gate, new_call
from tests.web.link import Link

TIME_LIMIT_S = 2.0
ENDING = Ending(CallEnd.COMPLETED, 30, 1_763_812_800_000)


def call_id() -> CallId:
    return CallId(ACCOUNT_SID, new_call())


def outage_of(gate: Gate, journal: Journal, policy: Decision = Decision.ANSWER) -> Outage:
    ledger = gate.parts.gate
    return Outage(ledger, Recorder(ledger, NumberBook(ledger), policy), journal)


@pytest.fixture
def link(valkey: EmbeddedValkey) -> Iterator[Link]:
    with Link(valkey.port) as made:
        yield made


def test_many_slow_steps_do_not_add_up(gate: Gate, link: Link) -> None:
    gate.open_account(5)
    gate.ledger().client.script_flush()
    link.delay_s = 0.45  # each answer comes just before the client would give up waiting for it
    slow = Gate(link.url)
    for _ in range(3):
        started_s = time.monotonic()
        assert slow.incoming(new_call()).answered
        assert time.monotonic() - started_s < TIME_LIMIT_S


def test_a_verb_that_hangs_is_given_up(gate: Gate) -> None:
    """As a name that is not resolved: no timeout of the client covers it."""
    outage = outage_of(gate, Journal())
    never = threading.Event()
    started_s = time.monotonic()
    with pytest.raises(LedgerUnreachable):
        outage.ask(never.wait)
    assert time.monotonic() - started_s < TIME_LIMIT_S
    never.set()
    outage.close()


def test_while_the_ledger_is_down_nobody_asks_it(gate: Gate, valkey: EmbeddedValkey) -> None:
    outage = outage_of(gate, Journal())
    asked: list[int] = []
    with STALLED.strikes(valkey):
        with pytest.raises(LedgerUnreachable):
            outage.ask(gate.parts.gate.probe)
        with pytest.raises(LedgerUnreachable):
            outage.ask(lambda: asked.append(1))
        assert outage.is_down
        assert asked == []
    wait_until(lambda: not outage.is_down)
    outage.ask(lambda: asked.append(1))
    assert asked == [1]
    outage.close()


def test_a_server_that_took_over_is_found(
    gate: Gate, valkey: EmbeddedValkey, link: Link, tmp_path: Path
) -> None:
    """The old one lives on as a replica, and connections to it stay open."""
    here = Gate(link.url)
    gate.open_account(5)
    assert here.incoming(new_call()).answered
    with EmbeddedValkey(tmp_path) as successor, DEMOTED.strikes(valkey):
        able = Gate(successor.url).open_account(5)
        link.port = successor.port
        call = new_call()
        assert here.incoming(call).answered
        wait_until(lambda: here.ledger().calls.find(call))
        here.status(call)
        assert here.balance(able) == 4


def test_connections_cut_off_while_idle_are_no_outage(
    gate: Gate, link: Link, logged: list[EventDict]
) -> None:
    here = Gate(link.url)
    here.open_account(5)
    here.incoming(new_call())
    link.forget()
    here.incoming(new_call())
    gate.ledger().client.client_kill_filter(_type="normal", skipme=True)
    here.incoming(new_call())
    assert [line["reason"] for line in logged] == ["allotment"] * 3


def test_what_else_a_verb_raises_passes_through(gate: Gate) -> None:
    outage = outage_of(gate, Journal())
    for _ in range(2):  # in a thread of its own, then directly
        with pytest.raises(ZeroDivisionError):
            outage.ask(lambda: 1 // 0)
        outage.ask(gate.parts.gate.probe)
    assert not outage.is_down
    outage.close()


def test_what_was_told_is_repeated_before_the_ledger_has_heard_it(gate: Gate) -> None:
    """It would answer; but a caller who was told otherwise is told the same again."""
    able = gate.open_account(5)
    journal = Journal()
    outage = outage_of(gate, journal, Decision.DROP)
    ledger, parts = gate.parts.gate, gate.parts
    documents = Documents(parts.answer_route, parts.drop_message)
    reception = Reception(ledger, NumberBook(ledger), documents, outage, policy=Decision.DROP)
    request = VoiceRequest.from_pairs(list(gate.fields(new_call()).items()))
    journal.note(Unrecorded(request.call, NUMBER, told=Decision.DROP))
    assert reception.decide(request).decision is Decision.DROP
    wait_until(lambda: len(journal) == 0)
    assert reception.decide(request).decision is Decision.DROP
    assert gate.balance(able) == 5
    outage.close()


def test_an_end_brings_along_what_was_told_before(gate: Gate) -> None:
    """Without it a call to so new a number would be taken for one that someone else answered."""
    able = gate.open_account(5, "+15550002222")
    gate.ledger().numbers.assign_number(NUMBER, able)
    journal = Journal()
    outage = outage_of(gate, journal)
    call = call_id()
    journal.note(Unrecorded(call, NUMBER, told=Decision.ANSWER))
    recorded = outage.record(Unrecorded(call, NUMBER, ending=ENDING))
    assert recorded == Recorded(able, Settlement.DEBITED)
    assert len(journal) == 0
    assert gate.balance(able) == 4
    outage.close()


def test_a_process_that_ends_records_its_journal(gate: Gate, logged: list[EventDict]) -> None:
    able = gate.open_account(5)
    journal = Journal()
    for _ in range(3):
        journal.note(Unrecorded(call_id(), NUMBER, told=Decision.ANSWER, ending=ENDING))
    outage = outage_of(gate, journal)
    outage.close()
    outage.close()
    assert len(journal) == 0
    assert gate.balance(able) == 2
    assert logged == []


def test_what_cannot_be_recorded_at_the_end_is_logged(logged: list[EventDict]) -> None:
    gate = Gate("redis://127.0.0.1:1/0")
    journal = Journal()
    line = Unrecorded(call_id(), NUMBER, told=Decision.ANSWER, ending=ENDING)
    journal.note(line)
    outage_of(gate, journal).close()
    assert logged == [
        {
            "event": "call_not_recorded",
            "log_level": "error",
            "why": "process_ended",
            "call": line.call.call_sid,
            "number": "+1555*****11",
            "direction": "inbound",
            "told": "answer",
            "end": "completed",
        }
    ]


def test_a_full_journal_gives_up_its_oldest_line_and_says_so(logged: list[EventDict]) -> None:
    journal = Journal(capacity=2)
    calls = [call_id() for _ in range(3)]
    for call in calls:
        journal.note(Unrecorded(call, NUMBER, told=Decision.DROP))
    assert [line.call for line in journal.lines()] == calls[1:]
    assert [(line["call"], line["why"]) for line in logged] == [(calls[0].call_sid, "journal_full")]


def test_a_journal_has_one_line_a_call_and_what_came_first_stays() -> None:
    journal = Journal()
    call = call_id()
    busy = Ending(CallEnd.BUSY, 0, ENDING.told_at_ms)
    journal.note(Unrecorded(call, NUMBER, told=Decision.ANSWER))
    journal.note(Unrecorded(call, NUMBER, ending=busy))
    journal.note(Unrecorded(call, NUMBER, told=Decision.DROP, ending=ENDING))
    whole = Unrecorded(call, NUMBER, told=Decision.ANSWER, ending=busy)
    assert journal.lines() == [whole]
    assert call in journal


def test_a_line_that_grew_while_it_was_recorded_stays() -> None:
    journal = Journal()
    told = Unrecorded(call_id(), NUMBER, told=Decision.ANSWER)
    journal.note(told)
    (being_recorded,) = journal.lines()
    journal.note(Unrecorded(told.call, NUMBER, ending=ENDING))
    journal.strike(being_recorded)
    assert len(journal) == 1
    journal.strike(journal.lines()[0])
    assert len(journal) == 0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(FULL, "out_of_memory"), (DEMOTED, "read_only"), (WITHOUT_REPLICAS, "read_only")],
)
def test_refusals_are_told_apart(
    gate: Gate, valkey: EmbeddedValkey, fault: Fault, kind: str
) -> None:
    with fault.strikes(valkey), pytest.raises(RedisError) as refused:
        gate.parts.gate.probe()
    assert error_kind(refused.value) == kind


def test_a_process_that_ends_tries_until_its_time_is_up(
    gate: Gate, valkey: EmbeddedValkey, logged: list[EventDict]
) -> None:
    able = gate.open_account(5)
    journal = Journal()
    outage = outage_of(gate, journal)
    client = gate.ledger().client

    def refusals() -> int:
        return int(client.info("errorstats").get("errorstat_OOM", {}).get("count", 0))

    before = refusals()
    FULL.begin(valkey)
    try:
        told = Unrecorded(call_id(), NUMBER, told=Decision.ANSWER, ending=ENDING)
        journal.note(told)
        closing = threading.Thread(target=outage.close)
        closing.start()
        wait_until(lambda: refusals() > before)
    finally:
        FULL.end(valkey)
    closing.join()
    assert len(journal) == 0
    assert gate.balance(able) == 4
    assert not [line for line in logged if line["event"] == "call_not_recorded"]
