"""Cycles: each period is granted once, and its entries name it."""

from __future__ import annotations

from functools import partial

import pytest

from gatekeeper.domain.cycle import period_at
from gatekeeper.domain.entry import EntryType
from gatekeeper.ledger.ledger import Ledger
from tests.audit.books import Books, assert_told


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
