"""What top-offs have charged in a period, and the flag of its spending cap."""

from __future__ import annotations

import pytest

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.money import CreditPrice
from tests.audit.books import Books, assert_told
from tests.cli.stories import PRICE_MINOR, succeed

PRICE = CreditPrice(PRICE_MINOR, "usd")


def _next_period(books: Books) -> None:
    """Let the period be the one of the log's last entry, so that it is known to begin there."""
    own = books.ledger.keys.of_account(books.account_id)
    books.ledger.client.hset(own.account, "cycle_end_ms", 1)
    account = books.ledger.accounts.account(books.account_id)
    assert books.ledger.cycles.turn(account)
    books.copy()


def _cap(books: Books, cap_minor: int) -> None:
    settings = TopoffSettings(True, 50, 60, None, cap_minor)
    books.ledger.accounts.set_topoff(books.account_id, settings, price=PRICE)
    books.copy()


def test_more_than_the_entries_say(books: Books) -> None:
    spent_minor = books.ledger.accounts.account(books.account_id).spent_minor
    assert spent_minor > 0
    assert books.found() == []
    books.set_account(spent_minor=str(spent_minor + 1))
    assert_told([f"have charged {spent_minor + 1}"], books.found())


def test_less_than_the_entries_of_this_period_say(books: Books) -> None:
    _next_period(books)
    assert books.found() == []
    succeed(books.ledger, books.ledger.accounts.account(books.account_id).topoff_id)
    books.copy()
    assert books.found() == []
    books.set_account(spent_minor="0")
    assert_told([f"charged 0 in this period, but by the entries {60 * PRICE_MINOR}"], books.found())


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"capped": "1"}, "paused by a spending cap, but they are off or have none"),
        (
            {"topoff_on": "1", "cap_minor": "1000", "spent_minor": "0"},
            "there is a spending cap, but no period",
        ),
    ],
)
def test_a_cap_that_cannot_be(books: Books, fields: dict[str, str], says: str) -> None:
    own = books.ledger.keys.of_account(books.account_id).account
    books.ledger.client.hdel(own, "cycle_end_ms")
    books.set_account(**fields)
    assert_told([says], books.found())


def test_a_flag_that_is_wrong(books: Books) -> None:
    _next_period(books)
    own = books.ledger.keys.of_account(books.account_id).account
    books.set_account(cap_minor="49")
    assert books.found() == [], "a period begins without the mark"
    _cap(books, 120 * PRICE_MINOR)
    succeed(books.ledger, books.ledger.accounts.account(books.account_id).topoff_id)
    books.copy()
    assert books.found() == []
    books.set_account(cap_minor=str(60 * PRICE_MINOR + 59))
    assert_told(["the spending cap does not pause them"], books.found())
    books.set_account(cap_minor=str(120 * PRICE_MINOR), capped="1", price_minor="25")
    assert_told(["but the spending cap pauses them"], books.found())
    books.ledger.client.hdel(own, "capped")
    assert books.found() == []
