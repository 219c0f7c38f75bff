"""Cycles: each period is granted once, and its entries name it."""

from __future__ import annotations

from functools import partial

import pytest

from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.domain.cycle import period_at
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.subscription import SubscriptionStatus, SubscriptionTerms
from gatekeeper.ledger.ledger import Ledger
from tests.audit.books import Books, assert_told
from tests.cli.conftest import ACCOUNT_SID
from tests.cli.stories import NUMBER, call

SUBSCRIPTION = "sub_1"


@pytest.fixture
def turned(books: Books) -> Books:
    """Books whose account has turned two periods."""
    account = books.ledger.accounts.account(books.account_id)
    for index in (1, 2):
        period = period_at(account.anchor_ms, account.interval, index)
        shards, now_ms = books.ledger.keys.shards, period.start_ms
        then = Ledger(books.ledger.client, shards=shards, clock=partial(int, now_ms))
        assert then.cycles.start_cycle(books.account_id, period)
    books.copy()
    assert books.found() == []
    return books


def test_a_period_that_is_granted_twice_with_sums_that_fit(turned: Books) -> None:
    *_, granted = turned.entries(EntryType.CYCLE_STARTED)
    turned.append_again(granted)
    (again,) = turned.entries(EntryType.CYCLE_STARTED)[2:]
    told = [
        f"entry {again.id} starts the period of {granted.ref}, but the one of {granted.ref} had",
        "the ledger is in cycle 3, but the entries begin 4",
    ]
    assert_told(told, turned.found())


def test_an_account_that_is_opened_again(turned: Books) -> None:
    (opened,) = turned.entries(EntryType.ACCOUNT_OPENED)
    turned.append_again(opened)
    _, again = turned.entries(EntryType.ACCOUNT_OPENED)
    told = [
        f"entry {again.id} opens the account again",
        "the ledger is in cycle 3, but the entries begin 4",
    ]
    assert_told(told, turned.found())


def test_a_cycle_that_was_edited(turned: Books) -> None:
    turned.set_account(cycle_no="7")
    assert_told(["the ledger is in cycle 7, but the entries begin 3"], turned.found())


def test_a_period_that_nobody_can_read(turned: Books) -> None:
    *_, granted = turned.entries(EntryType.CYCLE_STARTED)
    turned.change_in_log(granted, ref="next month")
    turned.change_in_sql(granted, ref="next month")
    told = f"entry {granted.id} starts a period without saying which"
    assert_told([told], turned.found())


def test_a_grant_that_was_edited(turned: Books) -> None:
    turned.set_account(cycle_granted="2")
    told = "the ledger has granted 2 credits in this period, but the entries 3"
    assert_told([told], turned.found())
    call(turned.ledger, turned.account_id)
    turned.set_account(cycle_granted="4")
    told = "the ledger has granted 4 credits in this period, but the entries 3"
    assert_told([told], turned.found())


def test_a_raise_is_granted_once(turned: Books) -> None:
    account = turned.ledger.accounts.account(turned.account_id)
    turned.ledger.cycles.set_cycle(
        account.id, allotment=9, anchor_ms=account.anchor_ms, interval=account.interval
    )
    assert turned.found() == []
    (raised,) = turned.entries(EntryType.ALLOTMENT_RAISED)
    turned.append_again(raised)
    assert_told(["has granted 9 credits in this period, but the entries 15"], turned.found())


def test_what_no_subscription_withholds(turned: Books) -> None:
    turned.set_account(withheld="500")
    told = "the ledger withholds 500 credits, but no subscription does"
    assert_told([told], turned.found())


def _drive(books: Books, status: SubscriptionStatus, *, link: bool = False) -> None:
    """Let a subscription drive the account, or say how it stands; it is of the account's period."""
    account = books.ledger.accounts.account(books.account_id)
    terms = SubscriptionTerms(
        id=SUBSCRIPTION,
        status=status,
        anchor_ms=account.anchor_ms,
        interval=account.interval,
        start_ms=account.cycle_start_ms,
        end_ms=account.cycle_end_ms,
        allotment=9 if status is SubscriptionStatus.ACTIVE else 0,
        next_allotment=9,
        entitled=status is SubscriptionStatus.ACTIVE,
    )
    subscriptions, task = books.ledger.subscriptions, f"subscription:{account.id}"
    if link:
        subscriptions.claim(SUBSCRIPTION, account.id)
    books.ledger.owed.note_owed(account.id, task)
    mark = books.ledger.owed.mark(account.id, task)
    assert mark is not None
    assert subscriptions.set_subscription(account.id, terms, mark=mark, link=link)


@pytest.fixture
def driven(turned: Books) -> Books:
    """Books whose account a subscription drives, in the midst of a period."""
    _drive(turned, SubscriptionStatus.ACTIVE, link=True)
    assert turned.found() == []
    return turned


def test_what_is_withheld_and_comes_back(driven: Books) -> None:
    known = CallId(ACCOUNT_SID, "CA" + 32 * "8")
    driven.ledger.calls.admit_call(driven.account_id, known, NUMBER)
    _drive(driven, SubscriptionStatus.UNPAID)
    assert driven.found() == []
    driven.ledger.calls.settle_call(
        driven.account_id, known, NUMBER, CallEnd.BUSY, duration_s=None, debit_unknown=False
    )
    assert driven.ledger.accounts.account(driven.account_id).withheld == 9
    assert driven.found() == []
    driven.set_account(withheld="10")
    told = "the ledger withholds 10 credits, but by the entries no more than 9"
    assert_told([told], driven.found())
    _drive(driven, SubscriptionStatus.ACTIVE)
    (restored,) = driven.entries(EntryType.ALLOTMENT_RESTORED)
    told = f"entry {restored.id} gives back 10 credits that were withheld, but no more than 9 were"
    assert_told([told], driven.found())


def test_a_subscription_that_is_unlinked_while_it_withholds(driven: Books) -> None:
    _drive(driven, SubscriptionStatus.UNPAID)
    driven.ledger.subscriptions.unlink_subscription(driven.account_id, SUBSCRIPTION)
    account = driven.ledger.accounts.account(driven.account_id)
    assert (account.granted, account.withheld) == (0, 0)
    assert driven.found() == []
    driven.ledger.cycles.set_cycle(
        account.id, allotment=4, anchor_ms=account.anchor_ms, interval=account.interval
    )
    assert driven.found() == []
