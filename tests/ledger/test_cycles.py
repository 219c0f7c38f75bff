"""R4: the allotment is set anew on the billing-cycle date, exactly once."""

from __future__ import annotations

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import Bucket, CallEnd, CallId, Reason
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.subscription import SubscriptionStatus
from gatekeeper.ledger.calls import Settlement
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.desk import Desk, new_call

DAY_S = 24 * 3600
ACCOUNT_SID = "AC" + "1" * 32
NUMBER = "+15550001111"
RACERS = 50
_sids = itertools.count()


def _open(ledger: Ledger, allotment: int, *, purchased: int = 0) -> str:
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "a@example.com", allotment))
    if purchased:
        ledger.accounts.add_credits(account_id, purchased, reference="start", cause="test")
    return account_id


def _new_call() -> CallId:
    return CallId(ACCOUNT_SID, f"CA{next(_sids):032x}")


def _entries(ledger: Ledger, account_id: str) -> list[tuple[str, int, int]]:
    return [
        (entry.type, entry.allotment_delta, entry.purchased_delta)
        for entry in ledger.log.entries(account_id)
    ]


def _buckets(ledger: Ledger, account_id: str) -> tuple[int, int]:
    account = ledger.accounts.account(account_id)
    return account.allotment, account.purchased


def test_the_first_call_after_the_boundary_resets_before_its_decision(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 2, purchased=1)
    for _ in range(3):
        ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    assert _buckets(ledger, account_id) == (0, 0)
    end_ms = ledger.accounts.account(account_id).cycle_end_ms
    assert end_ms is not None
    clock.now_ms = end_ms - 1
    refused = ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    assert refused.verdict.reason is Reason.EMPTY_TOPOFF_OFF
    clock.now_ms = end_ms
    answered = ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    assert answered.verdict.bucket is Bucket.ALLOTMENT
    assert _buckets(ledger, account_id) == (1, 0)


def test_what_is_unused_lapses_and_purchased_credits_stay(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 5, purchased=7)
    clock.advance(s=31 * DAY_S)
    assert ledger.cycles.turn(ledger.accounts.account(account_id))
    assert not ledger.cycles.turn(ledger.accounts.account(account_id))
    assert _buckets(ledger, account_id) == (5, 7)
    assert _entries(ledger, account_id)[2:] == [
        (EntryType.ALLOTMENT_LAPSED, -5, 0),
        (EntryType.CYCLE_STARTED, 5, 0),
    ]


def test_an_overdraft_is_made_up_for_by_the_balance_not_forgiven(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 1)
    ledger.accounts.set_topoff(account_id, TopoffSettings(True, 1, 4))
    for _ in range(4):
        ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    assert _buckets(ledger, account_id) == (0, -3)
    clock.advance(s=31 * DAY_S)
    ledger.cycles.turn(ledger.accounts.account(account_id))
    assert _buckets(ledger, account_id) == (1, -3)


def test_periods_that_passed_are_not_granted_in_arrears(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 5)
    clock.advance(s=400 * DAY_S)
    ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    account = ledger.accounts.account(account_id)
    assert (account.allotment, account.cycle_no) == (4, 2)
    period = period_of(NOON_MS, Interval.MONTHLY, clock())
    assert (account.cycle_start_ms, account.cycle_end_ms) == (period.start_ms, period.end_ms)


@pytest.mark.parametrize("purchased", [0, 3])
def test_a_call_released_after_the_reset_gives_nothing_to_the_new_month(
    ledger: Ledger, clock: MovableClock, purchased: int
) -> None:
    account_id, call = _open(ledger, 5, purchased=purchased), _new_call()
    ledger.calls.admit_call(account_id, call, NUMBER)
    clock.advance(s=31 * DAY_S)
    ended = ledger.calls.settle_call(
        account_id, call, NUMBER, CallEnd.BUSY, duration_s=None, debit_unknown=True
    )
    assert ended is Settlement.RELEASED
    assert _buckets(ledger, account_id) == (5, purchased)


def test_exactly_one_reset_under_racing_threads_with_calls_of_both_months(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, RACERS)
    old = [_new_call() for _ in range(RACERS)]
    for call in old:
        ledger.calls.admit_call(account_id, call, NUMBER)
    end_ms = ledger.accounts.account(account_id).cycle_end_ms
    assert end_ms is not None
    clock.now_ms = end_ms

    def race(call: CallId) -> None:
        ledger.calls.admit_call(account_id, _new_call(), NUMBER)
        ledger.cycles.turn(ledger.accounts.account(account_id))
        ledger.calls.settle_call(
            account_id, call, NUMBER, CallEnd.NO_ANSWER, duration_s=None, debit_unknown=True
        )

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(race, old))
    kinds = Counter(kind for kind, _, _ in _entries(ledger, account_id))
    assert kinds[EntryType.CYCLE_STARTED] == 1
    assert kinds[EntryType.ALLOTMENT_LAPSED] == 0
    assert kinds[EntryType.CALL_RELEASED] == RACERS
    assert _buckets(ledger, account_id) == (0, 0)
    assert audit_ledger(ledger) == []


def test_a_larger_allotment_counts_at_once_a_smaller_one_from_the_next_period(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 5)
    ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    change = ledger.cycles.set_cycle
    change(account_id, allotment=8, anchor_ms=NOON_MS, interval=Interval.MONTHLY)
    assert _buckets(ledger, account_id) == (7, 0)
    change(account_id, allotment=2, anchor_ms=NOON_MS, interval=Interval.MONTHLY)
    assert _buckets(ledger, account_id) == (7, 0)
    clock.advance(s=31 * DAY_S)
    ledger.cycles.turn(ledger.accounts.account(account_id))
    assert _buckets(ledger, account_id) == (2, 0)


def test_a_lowered_and_raised_allotment_grants_nothing_twice(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 100)
    change = ledger.cycles.set_cycle
    for allotment, left in ((50, 100), (100, 100), (0, 100), (120, 120), (60, 120), (130, 130)):
        change(account_id, allotment=allotment, anchor_ms=NOON_MS, interval=Interval.MONTHLY)
        assert _buckets(ledger, account_id) == (left, 0)
    clock.advance(s=31 * DAY_S)
    change(account_id, allotment=140, anchor_ms=NOON_MS, interval=Interval.MONTHLY)
    assert _buckets(ledger, account_id) == (140, 0)


def test_a_new_anchor_moves_the_next_reset_and_grants_nothing_by_itself(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 5)
    ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    anchor_ms = NOON_MS + 3 * DAY_S * 1000
    ledger.cycles.set_cycle(account_id, allotment=5, anchor_ms=anchor_ms, interval=Interval.YEARLY)
    account = ledger.accounts.account(account_id)
    assert (account.allotment, account.cycle_end_ms) == (4, anchor_ms)
    clock.now_ms = anchor_ms
    ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    account = ledger.accounts.account(account_id)
    assert (account.allotment, account.cycle_start_ms) == (4, anchor_ms)
    assert account.cycle_end_ms == period_of(anchor_ms, Interval.YEARLY, anchor_ms).end_ms


def test_a_turn_that_on_call_runs_too_early_changes_nothing(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 5)
    ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    clock.advance(s=10 * DAY_S)
    anchor_ms = clock() - DAY_S * 1000  # by it a period began yesterday
    ledger.cycles.set_cycle(account_id, allotment=5, anchor_ms=anchor_ms, interval=Interval.MONTHLY)
    assert not ledger.cycles.turn(ledger.accounts.account(account_id))
    assert _buckets(ledger, account_id) == (4, 0)
    account = ledger.accounts.account(account_id)
    owed = dict(ledger.owed.tasks(ledger.keys.shard_of(account_id)))
    assert owed[f"cycle:{account_id}"] == account.cycle_end_ms


def test_the_turn_is_owed_at_the_end_of_the_period(ledger: Ledger) -> None:
    account_id = _open(ledger, 5)
    owed = dict(ledger.owed.tasks(ledger.keys.shard_of(account_id)))
    assert owed == {f"cycle:{account_id}": ledger.accounts.account(account_id).cycle_end_ms}


def test_an_account_without_an_allotment_has_no_cycle_until_it_gets_one(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 0)
    assert ledger.owed.tasks(ledger.keys.shard_of(account_id)) == []
    clock.advance(s=100 * DAY_S)
    assert not ledger.cycles.turn(ledger.accounts.account(account_id))
    ledger.cycles.set_cycle(account_id, allotment=3, anchor_ms=clock(), interval=Interval.MONTHLY)
    assert _buckets(ledger, account_id) == (3, 0)
    clock.advance(s=31 * DAY_S)
    assert ledger.cycles.turn(ledger.accounts.account(account_id))


def test_a_call_of_before_gives_nothing_to_the_cycle_of_an_account_that_had_none(
    ledger: Ledger,
) -> None:
    desk = Desk(ledger).open(allotment=3)
    call = new_call()
    desk.call(call)
    desk.subscribed(SubscriptionStatus.CANCELED)
    ledger.subscriptions.unlink_subscription(desk.id, "sub_1")
    account = desk.account
    assert (account.allotment, account.cycle_end_ms) == (0, None)
    ledger.cycles.set_cycle(
        desk.id, allotment=10, anchor_ms=account.anchor_ms, interval=account.interval
    )
    assert desk.end(call, CallEnd.NO_ANSWER) is Settlement.RELEASED
    assert (desk.account.allotment, desk.account.granted) == (10, 10)
    assert audit_ledger(ledger) == []


def test_a_turn_that_cannot_be_is_owed_no_more(ledger: Ledger, clock: MovableClock) -> None:
    """Of an account without a cycle, and of one that is gone: else it would be tried for ever."""
    account_id = _open(ledger, 0)
    now = period_of(clock(), Interval.MONTHLY, clock())
    ledger.owed.note_owed(account_id, f"cycle:{account_id}")
    assert not ledger.cycles.turn(ledger.accounts.account(account_id))
    assert not ledger.owed.is_owed(account_id, f"cycle:{account_id}")
    nobody = new_account_id()
    ledger.owed.note_owed(nobody, f"cycle:{nobody}")
    with pytest.raises(UnknownAccount):
        ledger.cycles.start_cycle(nobody, now)
    assert not ledger.owed.is_owed(nobody, f"cycle:{nobody}")


def test_no_card_is_charged_on_the_balance_of_a_period_that_is_over(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id = _open(ledger, 3)
    for _ in range(2):
        ledger.calls.admit_call(account_id, _new_call(), NUMBER)
    clock.advance(s=31 * DAY_S)
    ledger.accounts.set_topoff(account_id, TopoffSettings(True, 2, 10))
    assert _buckets(ledger, account_id) == (3, 0)
    assert ledger.accounts.account(account_id).topoff_id == ""
