"""The spending cap, and the periods that it counts in."""

from __future__ import annotations

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import NewAccount
from gatekeeper.domain.call import Decision, Reason
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.subscription import SubscriptionStatus
from gatekeeper.ledger.topoffs import Charge, Settled
from tests.conftest import MovableClock
from tests.ledger.capped import DAY_S, TOPOFF_MINOR, empty, topped_off
from tests.ledger.desk import PRICE, PRICE_MINOR, Desk


def end_of(desk: Desk) -> int:
    end_ms = desk.account.cycle_end_ms
    assert end_ms is not None
    return end_ms


def test_the_next_period_begins_anew(desk: Desk, clock: MovableClock) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    for _ in range(10):
        desk.call()
    clock.now_ms = end_of(desk)
    assert desk.call().verdict.decision is Decision.ANSWER
    account = desk.account
    assert (account.spent_minor, account.topoff_capped, account.topoff_id) == (0, False, "")
    for _ in range(5):
        desk.call()
    desk.paid_topoff()
    assert desk.account.topoff_capped
    assert desk.mail.count("spending_cap_reached") == 2
    assert audit_ledger(desk.ledger) == []


def test_it_begins_anew_with_a_look_where_no_call_could(desk: Desk, clock: MovableClock) -> None:
    topped_off(desk, cap=TOPOFF_MINOR, limit=0)
    assert empty(desk).verdict.reason is Reason.EMPTY_TOPOFF_CAPPED
    clock.now_ms = end_of(desk)
    assert desk.ledger.cycles.turn(desk.account)
    assert desk.account.topoff_id, "no call can be answered, so no debit would ask"


def test_an_account_without_an_allotment_gets_a_period_with_its_cap(
    desk: Desk, clock: MovableClock
) -> None:
    desk.open().card().topoff()
    assert desk.account.cycle_end_ms is None
    desk.paid_topoff()
    clock.advance(s=80 * DAY_S)
    desk.topoff(cap=TOPOFF_MINOR)
    account = desk.account
    period = period_of(account.anchor_ms, account.interval, clock())
    assert (account.cycle_start_ms, account.cycle_end_ms) == (period.start_ms, period.end_ms)
    assert account.spent_minor == account.spent_minor_at(clock()) == 0, "of an earlier month"
    assert (f"cycle:{desk.id}", period.end_ms) in desk.ledger.owed.tasks(
        desk.ledger.keys.shard_of(desk.id)
    )
    assert audit_ledger(desk.ledger) == []


def test_what_was_charged_earlier_in_the_period_counts(desk: Desk, clock: MovableClock) -> None:
    desk.open().card().topoff()
    desk.paid_topoff()
    clock.advance(s=3 * DAY_S)
    assert desk.account.spent_minor_at(clock()) == TOPOFF_MINOR
    desk.topoff(cap=TOPOFF_MINOR)
    assert desk.account.topoff_capped


def test_what_was_charged_in_this_period_counts_though_older_money_does_not(
    desk: Desk, clock: MovableClock
) -> None:
    desk.open().card().topoff()
    desk.paid_topoff()
    clock.advance(s=70 * DAY_S)
    assert desk.account.spent_minor_at(clock()) == 0
    for _ in range(16):
        desk.call()
    desk.paid_topoff()
    account = desk.account
    assert account.cycle_end_ms is None, "it has no period yet"
    assert account.spent_minor == account.spent_minor_at(clock()) == TOPOFF_MINOR
    desk.topoff(cap=TOPOFF_MINOR + 100)
    assert (desk.account.spent_minor, desk.account.topoff_capped) == (TOPOFF_MINOR, True)
    assert audit_ledger(desk.ledger) == []


def test_what_is_settled_after_the_turn_counts_then(desk: Desk, clock: MovableClock) -> None:
    desk.open().card().topoff(cap=TOPOFF_MINOR)
    first = desk.account.topoff_id
    assert desk.begin(first) is Charge.CHARGE
    clock.now_ms = end_of(desk)
    assert desk.succeed(first) is Settled.SETTLED
    account = desk.account
    assert (account.spent_minor, account.topoff_capped) == (TOPOFF_MINOR, True)
    assert account.cycle_no == 2


def test_a_charge_that_begins_after_the_turn_is_held_against_the_new_period(
    desk: Desk, clock: MovableClock
) -> None:
    desk.open().card().topoff(threshold=5, cap=TOPOFF_MINOR)
    desk.paid_topoff()
    desk.topoff(amount=10, threshold=5, cap=TOPOFF_MINOR + 10 * PRICE_MINOR)
    for _ in range(16):
        desk.call()
    second = desk.account.topoff_id
    desk.topoff(amount=10, threshold=5, cap=TOPOFF_MINOR)
    clock.now_ms = end_of(desk)
    assert desk.begin(second) is Charge.CHARGE


def test_a_year_is_capped_as_a_year(desk: Desk, clock: MovableClock) -> None:
    new = NewAccount(desk.id, "Able", "a@example.com", interval=Interval.YEARLY)
    desk.ledger.accounts.open_account(new)
    desk.card().topoff(cap=TOPOFF_MINOR)
    desk.paid_topoff()
    clock.advance(s=300 * DAY_S)
    assert empty(desk).verdict.reason is Reason.EMPTY_TOPOFF_CAPPED
    clock.advance(s=70 * DAY_S)
    assert desk.call().verdict.reason is Reason.OVERDRAFT


def test_periods_go_on_when_a_subscription_ends(desk: Desk, clock: MovableClock) -> None:
    desk.open(allotment=3).subscribed(SubscriptionStatus.CANCELED)
    assert desk.account.cycle_end_ms is None
    desk.card().topoff(cap=TOPOFF_MINOR)
    desk.paid_topoff()
    assert desk.account.topoff_capped
    clock.now_ms = end_of(desk)
    assert desk.ledger.cycles.turn(desk.account)
    assert (desk.account.spent_minor, desk.account.topoff_capped) == (0, False)
    assert audit_ledger(desk.ledger) == []


def test_after_a_subscription_has_ended_months_are_told_apart(
    desk: Desk, clock: MovableClock
) -> None:
    desk.open(allotment=3)
    clock.now_ms = end_of(desk)
    assert desk.ledger.cycles.turn(desk.account)
    desk.subscribed(SubscriptionStatus.CANCELED).card().topoff()
    desk.paid_topoff()
    clock.advance(s=70 * DAY_S)
    for _ in range(16):
        desk.call()
    desk.paid_topoff()
    assert desk.account.cycle_end_ms is None
    assert desk.account.spent_minor_at(clock()) == TOPOFF_MINOR
    assert audit_ledger(desk.ledger) == []


def test_a_subscription_that_ends_leaves_the_caps_period(desk: Desk) -> None:
    desk.open(allotment=3).card().topoff(cap=TOPOFF_MINOR)
    end_ms = end_of(desk)
    desk.subscribed(SubscriptionStatus.CANCELED)
    assert desk.account.cycle_end_ms == end_ms


def test_a_period_begins_without_the_mark_whatever_one_costs(
    desk: Desk, clock: MovableClock
) -> None:
    """An own price at which not one top-off fits: that is seen when a charge begins."""
    desk.open(allotment=3).card().topoff(cap=TOPOFF_MINOR)
    desk.ledger.accounts.update_account(desk.id, price=PRICE, price_minor="60")
    assert desk.account.topoff_capped
    clock.now_ms = end_of(desk)
    assert desk.ledger.cycles.turn(desk.account)
    assert not desk.account.topoff_capped
    assert audit_ledger(desk.ledger) == []
    assert desk.begin(desk.account.topoff_id) is Charge.CANCELED
    assert (desk.account.topoff_capped, desk.account.topoff_id) == (True, "")
    assert audit_ledger(desk.ledger) == []


def test_a_price_of_next_to_nothing_is_no_false_alarm(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR + 45)
    desk.ledger.accounts.update_account(desk.id, price=PRICE, price_minor="2")
    assert not desk.account.topoff_capped
    assert audit_ledger(desk.ledger) == []
