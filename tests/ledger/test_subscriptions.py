"""What a subscription's terms do to an account's allotment, in every order."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.subscription import SubscriptionStatus, SubscriptionTerms
from gatekeeper.jobs import subscription_task
from gatekeeper.ledger.ledger import Ledger
from tests.conftest import MovableClock

NUMBER = "+15550100100"
DAY_S = 24 * 3600


def _terms(
    clock: MovableClock, allotment: int, *, subscription: str = "sub_1", days_ago: int = 0
) -> SubscriptionTerms:
    anchor_ms = clock() - days_ago * DAY_S * 1000
    period = period_of(anchor_ms, Interval.MONTHLY, clock())
    return SubscriptionTerms(
        id=subscription,
        status=SubscriptionStatus.ACTIVE,
        anchor_ms=anchor_ms,
        interval=Interval.MONTHLY,
        start_ms=period.start_ms,
        end_ms=period.end_ms,
        allotment=allotment,
        next_allotment=allotment,
        entitled=True,
    )


def _without(terms: SubscriptionTerms, status: SubscriptionStatus) -> SubscriptionTerms:
    return replace(terms, status=status, allotment=0, next_allotment=0, entitled=False)


def _apply(ledger: Ledger, account_id: str, terms: SubscriptionTerms, *, link: bool = False) -> int:
    """Apply terms as the job does; returns the allotment that is left."""
    mark = ledger.owed.note_owed(account_id, subscription_task(account_id))
    assert ledger.subscriptions.set_subscription(account_id, terms, mark=mark, link=link)
    return ledger.accounts.account(account_id).allotment


def _open(ledger: Ledger, terms: SubscriptionTerms) -> str:
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "able@example.com"))
    _link(ledger, account_id, terms)
    return account_id


def _link(ledger: Ledger, account_id: str, terms: SubscriptionTerms) -> int:
    ledger.subscriptions.claim(terms.id, account_id)
    return _apply(ledger, account_id, terms, link=True)


def _call(ledger: Ledger, account_id: str) -> CallId:
    call = CallId("AC" + secrets.token_hex(16), "CA" + secrets.token_hex(16))
    ledger.calls.admit_call(account_id, call, NUMBER)
    return call


def _end(ledger: Ledger, account_id: str, call: CallId, end: CallEnd) -> None:
    ledger.calls.settle_call(account_id, call, NUMBER, end, duration_s=None, debit_unknown=False)


def test_a_rise_that_nobody_has_paid_for_waits_for_the_money(
    ledger: Ledger, clock: MovableClock
) -> None:
    terms = _terms(clock, 100)
    account_id = _open(ledger, terms)
    upgraded = replace(terms, allotment=250, next_allotment=250)
    past_due = replace(upgraded, status=SubscriptionStatus.PAST_DUE)
    assert _apply(ledger, account_id, past_due) == 100
    assert _apply(ledger, account_id, upgraded) == 250


@pytest.mark.parametrize("used", [3, 20])
def test_a_call_released_while_nothing_is_entitled_to_joins_what_is_withheld(
    ledger: Ledger, clock: MovableClock, used: int
) -> None:
    terms = _terms(clock, 20)
    account_id = _open(ledger, terms)
    calls = [_call(ledger, account_id) for _ in range(used)]
    assert _apply(ledger, account_id, _without(terms, SubscriptionStatus.UNPAID)) == 0
    for call in calls[:2]:
        _end(ledger, account_id, call, CallEnd.NO_ANSWER)
    assert ledger.accounts.account(account_id).allotment == 0
    assert audit_ledger(ledger) == []
    assert _apply(ledger, account_id, terms) == 20 - used + 2
    _end(ledger, account_id, calls[2], CallEnd.NO_ANSWER)
    assert ledger.accounts.account(account_id).allotment == 20 - used + 3
    assert audit_ledger(ledger) == []


def test_a_period_that_stripe_began_just_before_the_account_turned_its_own(
    ledger: Ledger, clock: MovableClock
) -> None:
    monthly = _terms(clock, 20)
    account_id = _open(ledger, monthly)
    assert monthly.end_ms is not None
    switched_ms = monthly.end_ms - 10_000
    clock.now_ms = monthly.end_ms + 5_000
    _call(ledger, account_id)  # turns the month that the news of the year make void
    period = period_of(switched_ms, Interval.YEARLY, clock())
    yearly = replace(
        monthly,
        anchor_ms=switched_ms,
        interval=Interval.YEARLY,
        start_ms=period.start_ms,
        end_ms=period.end_ms,
        allotment=120,
        next_allotment=120,
    )
    for _ in range(2):
        assert _apply(ledger, account_id, yearly) == 119
    assert ledger.accounts.account(account_id).cycle_end_ms == period.end_ms
    clock.advance(s=60 * DAY_S)
    _call(ledger, account_id)
    assert ledger.accounts.account(account_id).allotment == 118
    assert audit_ledger(ledger) == []


def test_news_of_the_period_that_the_account_has_turned_change_only_what_comes(
    ledger: Ledger, clock: MovableClock
) -> None:
    terms = _terms(clock, 20)
    account_id = _open(ledger, terms)
    assert terms.end_ms is not None
    clock.now_ms = terms.end_ms
    _call(ledger, account_id)
    assert _apply(ledger, account_id, replace(terms, allotment=50, next_allotment=50)) == 19
    account = ledger.accounts.account(account_id)
    assert (account.cycle_start_ms, account.allotment_size) == (terms.end_ms, 50)


def test_two_subscriptions_linked_in_turn_grant_no_period_twice(
    ledger: Ledger, clock: MovableClock
) -> None:
    newer = _terms(clock, 100)
    older = _terms(clock, 100, subscription="sub_2", days_ago=10)
    account_id = _open(ledger, newer)
    for _ in range(3):
        ledger.subscriptions.unlink_subscription(account_id, newer.id)
        assert _link(ledger, account_id, older) == 100
        ledger.subscriptions.unlink_subscription(account_id, older.id)
        assert _link(ledger, account_id, newer) == 100
    entries = list(ledger.log.entries(account_id))
    assert sum(entry.allotment_delta for entry in entries if entry.allotment_delta > 0) == 100
    assert EntryType.ALLOTMENT_LAPSED not in {entry.type for entry in entries}
    assert audit_ledger(ledger) == []
