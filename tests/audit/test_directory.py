"""The directory of accounts: what its rows list, by the entries and by the ledger."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.entry import EntryType
from gatekeeper.history.engine import reading
from gatekeeper.history.tables import accounts
from gatekeeper.relay.directory import list_missing_accounts
from tests.audit.books import Books, assert_told
from tests.cli.conftest import open_account
from tests.cli.stories import decline, switch_on

NOBODY = "acct_00000000n0n0"


def _change(books: Books, **values: Any) -> None:
    own = accounts.c.account_id == books.account_id
    books.sql(update(accounts).where(own).values(values))


def _delete(books: Books) -> None:
    books.sql(accounts.delete().where(accounts.c.account_id == books.account_id))


def _fill(books: Books) -> None:
    list_missing_accounts(books.ledger, books.engine, threading.Event())


def _let_a_charge_fail(books: Books) -> str:
    """Open an incident; returns its id."""
    account = books.ledger.accounts.account(books.account_id)
    topoff_id = account.topoff_id or switch_on(
        books.ledger, books.account_id, threshold=account.balance + 1, amount=account.balance + 2
    )
    decline(books.ledger, topoff_id)
    assert books.ledger.accounts.account(books.account_id).incident_id == topoff_id
    return topoff_id


def _set_profile(books: Books, **fields: str) -> None:
    own = books.ledger.keys.of_account(books.account_id)
    books.ledger.client.hset(own.profile, mapping=fields)  # type: ignore[arg-type]


CHANGES: Sequence[tuple[dict[str, Any], str]] = (
    ({"balance": 99_999}, "with balance 99999, but by its entries"),
    ({"suspended": True}, "with suspended True, but in the ledger False"),
    ({"name": "Evil", "name_key": "evil"}, "with name 'Evil', but by its entries"),
    ({"name_key": "evil"}, "under the name 'evil'"),
    ({"email": "evil@example.com"}, "with email 'evil@example.com', but by its entries"),
    ({"incident_id": "x", "incident_at_ms": 5}, "with incident ('x', 5), but by its entries"),
    ({"incident_at_ms": 5}, "with incident ('', 5), but by its entries"),
    ({"last_call_at_ms": 1}, "with a last call at 1, not"),
    ({"last_call_at_ms": 9_999_999_999_999}, "with a last call at 9999999999999, not"),
    ({"opened_at_ms": 7}, "as opened at 7, not"),
    ({"opened_at_ms": 0}, "as opened at 0, not"),
    ({"places": "0-0 0-0"}, "its row cannot be read"),
)


@pytest.mark.parametrize("is_trimmed", [False, True], ids=["untrimmed", "trimmed"])
def test_what_somebody_has_changed(books: Books, *, is_trimmed: bool) -> None:
    books.copy()
    if is_trimmed:
        books.trim()
    own = accounts.c.account_id == books.account_id
    with reading(books.engine) as connection:
        before = connection.execute(select(accounts).where(own)).one()._asdict()
    assert books.found() == []
    for values, says in CHANGES:
        _change(books, **values)
        assert_told([says], books.found())
        _change(books, **before)
    assert books.found() == []


def test_a_place_that_is_none_of_the_log(books: Books) -> None:
    """A listing is not believed to be of later than what was read of the log."""
    books.copy()
    _change(books, balance=1, places=" ".join(["99999999999999-0"] * 5))
    assert "with balance of an entry behind the log's end" in books.found()[0]
    _change(books, places=" ".join(["0-0"] * 5))
    assert_told(["with balance 1, but by its entries"], books.found())


def test_an_open_incident_that_is_not_among_the_candidates(books: Books) -> None:
    incident_id = _let_a_charge_fail(books)
    books.copy()
    assert books.found() == []
    _change(books, incident_id="", incident_at_ms=0)
    assert_told([f"without the incident {incident_id}, which is open"], books.found())
    _delete(books)
    _fill(books)
    assert books.found() == []
    _change(books, incident_id="", incident_at_ms=0)
    assert_told([f"without the incident {incident_id}, which is open"], books.found())


def test_accounts_that_only_one_store_has(books: Books) -> None:
    books.copy()
    _delete(books)
    assert_told(["is not listed in the directory"], books.found())
    _fill(books)
    assert books.found() == []
    with reading(books.engine) as connection:
        row = connection.execute(select(accounts)).first()
    assert row is not None
    books.sql(insert(accounts).values(row._asdict() | {"account_id": NOBODY}))
    [stray] = audit_ledger(books.ledger, books.engine)
    assert stray.account_id == NOBODY
    assert stray.what == "is listed in the directory, but there is no such account"


def test_what_the_ledger_has_without_an_entry(books: Books) -> None:
    update_account = books.ledger.accounts.update_account
    update_account(books.account_id, name="Renamed", suspended="1")
    books.copy()
    assert books.found() == []
    _set_profile(books, name="Other", email="o@example.com")
    books.set_account(suspended="0")
    says = ["has name 'Other' in the ledger", "has email 'o@", "has suspended False in the ledger"]
    assert_told(says, books.found())


def test_what_no_entry_told_must_be_as_the_ledger_has_it(books: Books) -> None:
    """As of accounts that are older than entries with a name."""
    [opened] = books.entries(EntryType.ACCOUNT_OPENED)
    books.change_in_log(opened, detail="")
    books.copy()
    _delete(books)
    _fill(books)
    assert books.found() == []
    _change(books, name="Evil", name_key="evil")
    assert_told(["with name 'Evil', but in the ledger 'Able'"], books.found())


def test_listings_that_are_ahead_of_sql(books: Books) -> None:
    """They were filled from the ledger, before the log was copied so far."""
    books.copy()
    _let_a_charge_fail(books)
    books.ledger.accounts.update_account(books.account_id, name="Ahead", suspended="1")
    open_account(books.ledger, allotment=3)
    books.sql(accounts.delete())
    _fill(books)
    assert books.found() == []
    books.ledger.accounts.update_account(books.account_id, name="Further", suspended="")
    books.ledger.accounts.add_credits(books.account_id, 5, reference="later", cause="welcome")
    assert books.found() == []
    _change(books, balance=-5, name="Further", name_key="further")
    told = "with balance -5, but by its entries"
    (found,) = books.found()
    assert told in found
    assert "with name 'Further', but by its entries 'Ahead'" in found
    _delete(books)
    _fill(books)
    books.copy()
    assert books.found() == []
