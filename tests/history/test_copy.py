"""The log arrives in SQL whole, once, and is trimmed no earlier."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from gatekeeper.domain.call import CallEnd, CallId, Decision, Reason
from gatekeeper.history.call import Outcome
from gatekeeper.history.lag import read_lag
from gatekeeper.history.queries import find_calls
from gatekeeper.history.store import LOG_START, read_positions
from gatekeeper.history.tail import REREAD_MS, Tail
from gatekeeper.history.usage import usage_by_outcome
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import history
from gatekeeper.relay.history import HistoryCopy
from tests.conftest import wait_until
from tests.history.copies import (
    ACCOUNT_SID,
    NUMBER,
    copying,
    last_fields,
    log_of,
    make_calls,
    open_accounts,
    stored,
)

FAR_MS = 10**14


@pytest.fixture
def copy(running_ledger: Ledger, engine: Engine) -> HistoryCopy:
    return HistoryCopy(running_ledger, engine, look_interval_s=0.02)


def test_every_entry_arrives(running_ledger: Ledger, engine: Engine, copy: HistoryCopy) -> None:
    make_calls(running_ledger, open_accounts(running_ledger, 5), range(40))
    copy.copy_all()
    assert len(log_of(running_ledger)) == 85
    assert stored(running_ledger, engine) == log_of(running_ledger)


def test_what_comes_later_arrives_too(
    running_ledger: Ledger, engine: Engine, copy: HistoryCopy
) -> None:
    accounts = open_accounts(running_ledger, 3)
    with copying(copy):
        for number in range(5):
            make_calls(running_ledger, accounts, range(number * 10, number * 10 + 10))
            wait_until(lambda: stored(running_ledger, engine) == log_of(running_ledger))


def test_pages_that_are_full(
    running_ledger: Ledger,
    engine: Engine,
    copy: HistoryCopy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "PAGE_LIMIT", 7)
    make_calls(running_ledger, open_accounts(running_ledger, 5), range(40))
    copy.copy_all()
    assert stored(running_ledger, engine) == log_of(running_ledger)
    positions = read_positions(engine)
    copied = [
        positions.get(shard, LOG_START).entries for shard in range(running_ledger.keys.shards)
    ]
    assert sum(copied) == 85


def test_several_relays_at_once(
    running_ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE_LIMIT", 11)
    accounts = open_accounts(running_ledger, 4)
    with ExitStack() as relays:
        for _ in range(3):
            copy = HistoryCopy(running_ledger, engine, look_interval_s=0.001)
            relays.enter_context(copying(copy))
        make_calls(running_ledger, accounts, range(150))
        wait_until(lambda: stored(running_ledger, engine) == log_of(running_ledger))
    used = [usage_by_outcome(engine, account_id, 0, FAR_MS).calls for account_id in accounts]
    assert sum(used) == 150


class Detours:
    """One account whose calls go the ways that outages make (R12)."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        [self._account_id] = open_accounts(ledger, 1)
        self._numbers = iter(range(10**6))
        self.call = self._next()

    def _next(self) -> CallId:
        return CallId(ACCOUNT_SID, f"CA{next(self._numbers):032x}")

    def admit(self) -> None:
        self._ledger.calls.admit_call(self._account_id, self.call, NUMBER)

    def told(self, decision: Decision) -> None:
        self._ledger.calls.admit_offline(self._account_id, self.call, NUMBER, decision)

    def end(self, end: CallEnd, duration_s: int | None = None) -> None:
        self._ledger.calls.settle_call(
            self._account_id, self.call, NUMBER, end, duration_s=duration_s, debit_unknown=True
        )

    def suspend(self) -> None:
        self._ledger.accounts.update_account(self._account_id, suspended="1")


def _answered(story: Detours) -> None:
    story.admit()
    story.end(CallEnd.COMPLETED, 30)


def _hung_up(story: Detours) -> None:
    story.admit()
    story.end(CallEnd.COMPLETED, 4)


def _not_answered(story: Detours) -> None:
    story.admit()
    story.end(CallEnd.NO_ANSWER)


def _dropped(story: Detours) -> None:
    story.suspend()
    story.admit()
    story.end(CallEnd.COMPLETED, 3)


def _let_through_unseen(story: Detours) -> None:
    story.told(Decision.ANSWER)
    story.end(CallEnd.COMPLETED, 60)


def _let_through_against_the_ledger(story: Detours) -> None:
    story.suspend()
    story.admit()
    story.told(Decision.ANSWER)
    story.end(CallEnd.COMPLETED, 60)


def _dropped_unseen(story: Detours) -> None:
    story.told(Decision.DROP)
    story.end(CallEnd.COMPLETED, 3)


def _dropped_against_the_ledger(story: Detours) -> None:
    story.admit()
    story.told(Decision.DROP)
    story.end(CallEnd.COMPLETED, 3)


def _dropped_and_let_through(story: Detours) -> None:
    """One process told Twilio a drop, and then another an answer."""
    story.admit()
    story.told(Decision.DROP)
    story.told(Decision.ANSWER)
    story.end(CallEnd.COMPLETED, 60)


@pytest.mark.parametrize(
    ("live", "outcome", "reason", "credits"),
    [
        (_answered, Outcome.CONVERSATION, Reason.ALLOTMENT, 1),
        (_hung_up, Outcome.HUNG_UP, Reason.ALLOTMENT, 1),
        (_not_answered, Outcome.NOT_ANSWERED, Reason.ALLOTMENT, 0),
        (_dropped, Outcome.DROPPED, Reason.ACCOUNT_SUSPENDED, 0),
        (_let_through_unseen, Outcome.CONVERSATION, Reason.LEDGER_UNREACHABLE, 1),
        (_let_through_against_the_ledger, Outcome.CONVERSATION, Reason.LEDGER_UNREACHABLE, 1),
        (_dropped_unseen, Outcome.DROPPED, Reason.LEDGER_UNREACHABLE, 0),
        (_dropped_against_the_ledger, Outcome.DROPPED, Reason.LEDGER_UNREACHABLE, 0),
        (_dropped_and_let_through, Outcome.CONVERSATION, Reason.LEDGER_UNREACHABLE, 1),
    ],
)
def test_what_becomes_of_a_call(
    running_ledger: Ledger,
    engine: Engine,
    copy: HistoryCopy,
    live: Any,
    outcome: Outcome,
    reason: Reason,
    credits: int,
) -> None:
    story = Detours(running_ledger)
    live(story)
    copy.copy_all()
    [call] = find_calls(engine, story.call.call_sid)
    assert (call.outcome, call.reason, call.credits) == (outcome, reason, credits)
    assert call.end is not None
    assert call.ended_at_ms is not None


def test_a_call_shorter_than_the_setting_was_hung_up(
    running_ledger: Ledger, engine: Engine
) -> None:
    accounts = open_accounts(running_ledger, 1)
    make_calls(running_ledger, accounts, range(20))  # of 0 to 19 seconds
    HistoryCopy(running_ledger, engine, hung_up_below_s=8).copy_all()
    usage = usage_by_outcome(engine, accounts[0], 0, FAR_MS)
    assert (usage.hung_up, usage.conversation, usage.credits) == (8, 12, 20)


def test_nothing_is_trimmed_unless_told_to(
    running_ledger: Ledger, engine: Engine, copy: HistoryCopy
) -> None:
    make_calls(running_ledger, open_accounts(running_ledger, 2), range(20))
    copy.copy_all()
    assert len(log_of(running_ledger)) == 42


def test_what_is_in_sql_is_trimmed_and_nothing_else(running_ledger: Ledger, engine: Engine) -> None:
    accounts = open_accounts(running_ledger, 4)
    make_calls(running_ledger, accounts, range(400))
    before = log_of(running_ledger)
    HistoryCopy(running_ledger, engine, trim_behind_s=0).copy_all()
    make_calls(running_ledger, accounts, range(400, 410))
    kept = log_of(running_ledger)
    assert len(kept) < len(before)
    HistoryCopy(running_ledger, engine).copy_all()
    in_sql = stored(running_ledger, engine)
    assert len(in_sql) == len(before) + 20
    assert {entry.id for entry in in_sql} == {entry.id for entry in [*before, *kept]}


def test_the_log_keeps_as_much_as_it_shall(running_ledger: Ledger, engine: Engine) -> None:
    make_calls(running_ledger, open_accounts(running_ledger, 4), range(400))
    before = log_of(running_ledger)
    HistoryCopy(running_ledger, engine, trim_behind_s=3600).copy_all()
    assert log_of(running_ledger) == before


def test_the_lag_is_what_is_missing_in_sql(
    running_ledger: Ledger, engine: Engine, copy: HistoryCopy
) -> None:
    assert read_lag(running_ledger).entries == 0
    accounts = open_accounts(running_ledger, 4)
    make_calls(running_ledger, accounts, range(20))
    lag = read_lag(running_ledger)
    assert lag.entries == 44
    wait_until(lambda: read_lag(running_ledger).oldest_s > lag.oldest_s)
    copy.copy_all()
    assert (read_lag(running_ledger).entries, read_lag(running_ledger).oldest_s) == (0, 0.0)
    make_calls(running_ledger, accounts, range(20, 23))
    assert read_lag(running_ledger).entries == 6


def test_the_lag_is_known_after_trimming(running_ledger: Ledger, engine: Engine) -> None:
    accounts = open_accounts(running_ledger, 4)
    make_calls(running_ledger, accounts, range(400))
    HistoryCopy(running_ledger, engine, trim_behind_s=0).copy_all()
    assert read_lag(running_ledger).entries == 0
    make_calls(running_ledger, accounts, range(400, 403))
    assert read_lag(running_ledger).entries == 6


def test_entries_that_a_new_server_numbers_before_the_position(
    running_ledger: Ledger, engine: Engine, copy: HistoryCopy
) -> None:
    """A replica without the last entries, and with a clock that is behind, has taken over."""
    [account_id] = open_accounts(running_ledger, 1)
    make_calls(running_ledger, [account_id], range(10))
    copy.copy_all()
    log_key = running_ledger.keys.of_account(account_id).log
    last_ms = read_positions(engine)[running_ledger.keys.shard_of(account_id)].id_ms
    late = last_fields(running_ledger, log_key)
    running_ledger.client.delete(log_key)
    new_id = f"{last_ms - REREAD_MS // 2}-0"
    running_ledger.client.xadd(log_key, late, id=new_id)
    HistoryCopy(running_ledger, engine).copy_all()
    ids = [entry.id for entry in stored(running_ledger, engine)]
    assert len(ids) == 22
    assert new_id in ids


def test_entries_that_are_gone_before_they_were_copied_are_missed_aloud(
    running_ledger: Ledger, engine: Engine, copy: HistoryCopy
) -> None:
    [account_id] = open_accounts(running_ledger, 1)
    make_calls(running_ledger, [account_id], range(10))
    copy.copy_all()
    make_calls(running_ledger, [account_id], range(10, 20))
    log_key = running_ledger.keys.of_account(account_id).log
    running_ledger.client.xtrim(log_key, maxlen=5, approximate=False)
    with capture_logs() as logs:
        copy.copy_all()
    assert [(line["event"], line["missing"]) for line in logs] == [("history_gap", 15)]
    assert len(stored(running_ledger, engine)) == 21 + 5


@pytest.mark.parametrize("field", ["type", "cause", "at_ms"])
def test_an_entry_that_is_not_understood_holds_up_its_shard_alone(
    running_ledger: Ledger, engine: Engine, copy: HistoryCopy, field: str
) -> None:
    """It may be from a newer version, whose relay will understand it: nothing is passed over."""
    accounts = open_accounts(running_ledger, 8)
    make_calls(running_ledger, accounts, range(16))
    log_key = running_ledger.keys.of_account(accounts[0]).log
    strange = last_fields(running_ledger, log_key) | {field: "teleported"}
    strange_id = running_ledger.client.xadd(log_key, strange)
    make_calls(running_ledger, accounts, range(16, 32))
    with capture_logs() as logs:
        copy.copy_all()
        copy.copy_all()
    assert [line["event"] for line in logs] == ["history_entry_unreadable"]
    assert str(strange_id) in logs[0]["error"]
    shard = running_ledger.keys.shard_of(accounts[0])
    for entry in stored(running_ledger, engine):
        is_held_up = running_ledger.keys.shard_of(entry.account_id) == shard
        assert not is_held_up or entry.id < str(strange_id)
    running_ledger.client.xdel(log_key, strange_id)
    copy.copy_all()
    assert stored(running_ledger, engine) == log_of(running_ledger)


def test_what_is_read_again_moves_the_position_no_way_back(running_ledger: Ledger) -> None:
    """After a start a little is read twice; stored as the position, it would be at every start."""
    (account_id,) = open_accounts(running_ledger, 1)
    make_calls(running_ledger, [account_id], range(3))
    log_key = running_ledger.keys.of_account(account_id).log
    copied = Tail(running_ledger.client, log_key).read(LOG_START, limit=100).reached
    again = Tail(running_ledger.client, log_key)
    for _ in range(3):
        page = again.read(copied, limit=2)
        assert len(page.entries) == 2
        assert page.reached == copied
        again.taken(page)
