"""Top-offs: their records, their entries, and what is owed for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gatekeeper.domain.entry import EntryType
from gatekeeper.ledger.lookback import RECORD_KEPT_S
from tests.audit.books import Books, assert_told
from tests.cli.stories import PRICE_MINOR, begin_charge

#: Changes what is known of a top-off, and returns what the audit's lines must say.
Corrupt = Callable[[Books, str], list[str]]


@pytest.fixture
def in_flight(books: Books) -> str:
    """The top-off in flight: requested and being charged."""
    topoff_id = books.ledger.accounts.account(books.account_id).topoff_id
    assert topoff_id
    return topoff_id


@pytest.fixture
def credited(books: Books) -> str:
    """A top-off that succeeded."""
    return books.entries(EntryType.TOPOFF_SUCCEEDED)[0].ref


def _key(books: Books, topoff_id: str) -> str:
    return books.ledger.keys.of_account(books.account_id).topoff(topoff_id)


def _set(**fields: str) -> Callable[[Books, str], None]:
    def change(books: Books, topoff_id: str) -> None:
        for field, value in fields.items():
            books.ledger.client.hset(_key(books, topoff_id), field, value)

    return change


def _delete(books: Books, topoff_id: str) -> None:
    books.ledger.client.delete(_key(books, topoff_id))


def _rename(books: Books, topoff_id: str) -> None:
    books.ledger.client.copy(_key(books, topoff_id), _key(books, f"{books.account_id}-00"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_delete, "{} has no record, but it must still be kept"),
        (_set(state="failed"), "{} was credited, but it is failed"),
        (_set(credits="21"), "{} of 21 costs 500, which is no multiple of a credit's price"),
        (_set(amount_minor="499"), "{} of 20 costs 499, which is no multiple of a credit's price"),
        (_set(payment_intent="pi_0"), "{} was paid by pi_0, but credited for pi_"),
        (_set(state="paid"), "{} has a record that cannot be read"),
        (_rename, "{account}-00 has a record, but no entry says it was requested"),
    ],
)
def test_a_credited_one(
    books: Books, credited: str, change: Callable[[Books, str], None], says: str
) -> None:
    change(books, credited)
    told = says.format(credited, account=books.account_id)
    assert f"top-off {told}" in " / ".join(books.found())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_delete, "{} is in flight, but has no record"),
        (_set(state="succeeded"), "{} succeeded, but it was not credited"),
    ],
)
def test_one_in_flight(
    books: Books, in_flight: str, change: Callable[[Books, str], None], says: str
) -> None:
    change(books, in_flight)
    assert_told([f"top-off {says.format(in_flight)}"], books.found())


def test_one_in_flight_whose_charge_is_not_owed(books: Books, in_flight: str) -> None:
    assert books.found() == []
    books.ledger.owed.strike_owed(books.account_id, f"charge:{in_flight}")
    told = f"top-off {in_flight} is charging, but no charge is owed for it"
    assert_told([told], books.found())


def test_two_in_flight(books: Books, in_flight: str) -> None:
    own = books.ledger.keys.of_account(books.account_id)
    failed = books.entries(EntryType.TOPOFF_FAILED)[0].ref
    books.set_account(topoff=failed)
    told = books.found()
    assert f"top-off {failed} is in flight, but no entry says so" in told
    assert f"top-off {in_flight} is charging, beside {failed}" in told
    books.ledger.client.hdel(own.account, "topoff", "topoff_state")
    told = [f"top-off {in_flight} is charging, but the account has none in flight"]
    assert_told(told, books.found())


def test_a_payment_that_is_credited_for_two(books: Books, in_flight: str) -> None:
    books.copy()
    (first, *_) = books.entries(EntryType.TOPOFF_SUCCEEDED)
    books.trim()
    begin_charge(books.ledger, in_flight)
    topoff = books.ledger.topoffs.topoff(in_flight)
    books.ledger.client.hset(_key(books, in_flight), "payment_intent", first.cause)
    books.ledger.topoffs.settle_topoff(
        in_flight,
        replace(books.payment(topoff), payment_intent=first.cause),
        price_minor=PRICE_MINOR,
    )
    told = [f"top-off {in_flight} was credited for {first.cause}, which had paid {first.ref}"]
    assert_told(told, books.found())


def test_records_that_have_expired(books: Books) -> None:
    """History goes back further than the ledger keeps the records of top-offs that have ended."""
    ended = [entry.ref for entry in books.entries(EntryType.TOPOFF_SUCCEEDED)]
    books.move_log_back(ms=(RECORD_KEPT_S + 60) * 1000)
    for topoff_id in ended:
        _delete(books, topoff_id)
    assert books.found() == []


def test_an_incident_that_was_resolved_twice(books: Books) -> None:
    (resolved, *_) = books.entries(EntryType.INCIDENT_RESOLVED)
    books.append_again(resolved)
    assert_told([f"incident {resolved.ref} was resolved twice"], books.found())


def test_an_incident_that_was_none(books: Books) -> None:
    (resolved, *_) = books.entries(EntryType.INCIDENT_RESOLVED)
    books.append_again(replace(resolved, ref="acct-0"))
    told = "incident acct-0 was resolved, but no such top-off had failed"
    assert_told([told], books.found())
