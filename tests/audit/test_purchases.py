"""What an audit says of purchases (R7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.ledger.checkouts import PaidPurchase
from gatekeeper.ledger.topoffs import Payment
from tests.audit.books import Books
from tests.cli.stories import CARD


@pytest.fixture
def bought(books: Books) -> Entry:
    """A purchase that was credited."""
    payment = Payment("pi_bought", 1000, "usd", CARD.customer, CARD.last4)
    paid = PaidPurchase(f"{books.account_id}-00000000b0b0", 40, payment, "", "", None)
    books.ledger.checkouts.credit_purchase(paid)
    books.copy()
    assert books.found() == []
    (entry,) = books.entries(EntryType.PURCHASE_SUCCEEDED)
    return entry


def test_a_purchase_that_is_credited_twice(books: Books, bought: Entry) -> None:
    books.append_again(bought)
    assert books.found() == [f"purchase {bought.ref} was credited twice"]


def test_a_payment_that_is_credited_for_two_purchases(books: Books, bought: Entry) -> None:
    other = f"{books.account_id}-00000000c0c0"
    books.append_again(replace(bought, ref=other))
    told = f"purchase {other} was credited for pi_bought, which had paid {bought.ref}"
    assert books.found() == [told]
