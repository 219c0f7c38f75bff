"""Corrections: by hand (R15), and for refunds and disputes (R13)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.lookback import RECORD_KEPT_S
from tests.audit.books import Books, assert_told
from tests.cli.stories import PRICE_MINOR

CREDITS = 20
PAID_MINOR = CREDITS * PRICE_MINOR


def _correct(books: Books, *reversals: Reversal) -> None:
    paid = books.entries(EntryType.TOPOFF_SUCCEEDED)[0]
    assert paid.purchased_delta == CREDITS
    payment = CreditedPayment(paid.ref, paid.cause, CREDITS, PAID_MINOR, "usd")
    books.ledger.corrections.correct_payment(books.account_id, payment, reversals)


def _refund(amount_minor: int, rank: int = 1, name: str = "a") -> Reversal:
    return Reversal(f"re_{name}", CorrectionCause.REFUND, rank, amount_minor, rank == 1)


def _dispute(amount_minor: int, rank: int = 1) -> Reversal:
    return Reversal("du_a", CorrectionCause.DISPUTE, rank, amount_minor, rank % 2 == 1)


@pytest.fixture
def refunded(books: Books) -> Entry:
    """A payment of which 8 credits went back, in SQL too."""
    _correct(books, _refund(200))
    books.copy()
    assert books.found() == []
    (entry,) = books.entries(EntryType.CREDITS_CLAWED_BACK)
    return entry


def _key(books: Books) -> str:
    paid = books.entries(EntryType.TOPOFF_SUCCEEDED)[0]
    return books.ledger.keys.of_account(books.account_id).clawback(paid.cause)


def _payment(books: Books) -> str:
    return books.entries(EntryType.TOPOFF_SUCCEEDED)[0].cause


@pytest.mark.parametrize("type_", [EntryType.CREDITS_ADDED, EntryType.CREDITS_REMOVED])
def test_a_correction_by_hand_that_counts_twice(books: Books, type_: EntryType) -> None:
    (entry,) = books.entries(type_)
    books.append_again(entry)
    _, again = books.entries(type_)
    assert books.found() == [f"entry {again.id} ({type_}) counts {entry.ref} again"]


def test_a_reference_that_is_used_again_once_it_was_forgotten(books: Books) -> None:
    (entry,) = books.entries(EntryType.CREDITS_ADDED)
    books.move_log_back(ms=(RECORD_KEPT_S + 60) * 1000)
    own = books.ledger.keys.of_account(books.account_id)
    books.ledger.client.delete(own.payment(entry.ref))
    books.ledger.accounts.add_credits(books.account_id, 5, reference=entry.ref, cause="again")
    assert len(books.entries(EntryType.CREDITS_ADDED)) == 2
    assert not [what for what in books.found() if entry.ref in what]


def test_money_that_goes_back_and_comes_again(books: Books) -> None:
    for reversals in (
        [_refund(1)],
        [_refund(200, name="b")],
        [_refund(200, rank=2, name="b")],
        [_dispute(PAID_MINOR), _refund(100, name="c")],
        [_dispute(PAID_MINOR, rank=2)],
        [_dispute(PAID_MINOR, rank=3)],
        [_dispute(PAID_MINOR, rank=4), _refund(100, rank=2, name="c")],
    ):
        _correct(books, *reversals)
        assert books.found() == []
    books.copy()
    books.trim()
    assert books.found() == []


def test_credits_that_are_taken_twice_for_one_refund(books: Books, refunded: Entry) -> None:
    books.append_again(refunded)
    payment = _payment(books)
    told = [
        f"payment {payment} lost credits for re_a twice",
        f"payment {payment} has a record of what went back, by which it lost 8 credits, but by the"
        " entries 16",
    ]
    assert books.found() == told


def test_more_taken_than_was_paid_for(books: Books, refunded: Entry) -> None:
    books.append_again(replace(refunded, purchased_delta=-13, detail="re_b 325 usd"))
    _, again = books.entries(EntryType.CREDITS_CLAWED_BACK)
    books.ledger.client.hset(_key(books), "taken", 21)
    payment = _payment(books)
    told = f"entry {again.id} (credits_clawed_back) leaves 21 credits taken of the 20 that payment"
    assert books.found() == [f"{told} {payment} gave"]


def test_more_returned_than_was_taken(books: Books, refunded: Entry) -> None:
    _correct(books, _refund(200, rank=2))
    (returned,) = books.entries(EntryType.CREDITS_RETURNED)
    books.append_again(returned)
    told = ["leaves -8 credits taken of the 20 that payment", "by which it lost 0 credits, but by"]
    assert_told(told, books.found())


def test_credits_taken_of_what_was_never_credited(books: Books, refunded: Entry) -> None:
    books.append_again(replace(refunded, ref="acct_0-0"))
    _, again = books.entries(EntryType.CREDITS_CLAWED_BACK)
    told = f"entry {again.id} (credits_clawed_back) is of acct_0-0, which was not credited"
    assert books.found() == [told]


@pytest.mark.usefixtures("refunded")
def test_a_record_that_was_edited(books: Books) -> None:
    told = f"payment {_payment(books)} has a record of what went back"
    books.ledger.client.hset(_key(books), "taken", 0)
    assert books.found() == [f"{told}, by which it lost 0 credits, but by the entries 8"]
    books.ledger.client.hset(_key(books), "taken", "some")
    assert books.found() == [f"{told} that cannot be read"]
    books.ledger.client.delete(_key(books))
    missing = f"payment {_payment(books)} has no record of what went back, but it must be kept"
    assert books.found() == [missing]


@pytest.mark.usefixtures("refunded")
def test_a_record_of_a_payment_that_nobody_made(books: Books) -> None:
    own = books.ledger.keys.of_account(books.account_id)
    books.ledger.client.hset(own.clawback("pi_other"), "taken", 3)
    told = "payment pi_other has a record of what went back, but no entry says that it was credited"
    assert books.found() == [told]


def test_a_record_that_has_expired(books: Books) -> None:
    _correct(books, _refund(200))
    books.move_log_back(ms=(RECORD_KEPT_S + 60) * 1000)
    books.ledger.client.delete(_key(books))
    assert books.found() == []
