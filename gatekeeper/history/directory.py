"""The directory: the accounts there are, found and listed page by page, whatever their number.

A page of the list is a range of an index. A search by part of a name or address reads the index of
names from where it begins until a page is full: all of it where little is found. All raise
sqlalchemy.exc.SQLAlchemyError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from unicodedata import normalize

from sqlalchemy import ColumnElement, Engine, Row, Select, or_, select, tuple_

from gatekeeper.domain.account import is_account_id
from gatekeeper.history.batch import batch, rows_of
from gatekeeper.history.directory_writer import merge_listings
from gatekeeper.history.engine import reading, writing
from gatekeeper.history.listing import Listing
from gatekeeper.history.queries import BadCursor, Page
from gatekeeper.history.store import hold_shard
from gatekeeper.history.tables import MAY_HAVE_INCIDENT, accounts

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}")


class Order(StrEnum):
    """By what the list is sorted; each is served by an index."""

    NAME = "name"
    LAST_CALL = "last-call"
    BALANCE = "balance"
    OPENED = "opened"

    @property
    def is_descending(self) -> bool:
        """Whether the newest come first."""
        return self in (Order.LAST_CALL, Order.OPENED)


_SORTED_BY: Final = {
    Order.NAME: accounts.c.name_key,
    Order.LAST_CALL: accounts.c.last_call_at_ms,
    Order.BALANCE: accounts.c.balance,
    Order.OPENED: accounts.c.opened_at_ms,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """An account as its entries tell of it: behind the ledger by as much as history is.

    "" and 0 are what is not known, or was never. `balance` is in credits.
    """

    account_id: str
    name: str
    email: str
    last_call_at_ms: int
    balance: int
    suspended: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account whose last top-off failed; whether its incident is open, the ledger knows."""

    account_id: str
    name: str
    since_ms: int


_LISTED: Final = tuple(accounts.c[name] for name in Listed.__dataclass_fields__)


def accounts_page(
    engine: Engine, order: Order = Order.NAME, *, after: str | None = None, limit: int = 50
) -> Page[Listed]:
    """List accounts. Raises BadCursor."""
    return _page(engine, order, [], after, limit)


def search_accounts(
    engine: Engine, text: str, *, after: str | None = None, limit: int = 50
) -> Page[Listed]:
    """List by name the accounts that have a text in their name or address, whatever its case.

    Raises BadCursor.
    """
    has_it = or_(
        accounts.c.name_key.contains(text.casefold(), autoescape=True),
        accounts.c.email.contains(normalize("NFC", text).lower(), autoescape=True),
    )
    return _page(engine, Order.NAME, [has_it], after, limit)


def incident_candidates(
    engine: Engine, *, after: str | None = None, limit: int = 50
) -> Page[Candidate]:
    """List the accounts that may have an open incident, the newest first. Raises BadCursor."""
    since = accounts.c.incident_at_ms
    columns = (since, accounts.c.account_id, accounts.c.name)
    query: Select[Any] = select(*columns).where(MAY_HAVE_INCIDENT)
    if after is not None:
        query = query.where(_behind(since, _parse(Order.OPENED, after), is_descending=True))
    query = _sorted(query, since, is_descending=True)
    with reading(engine) as connection:
        found = connection.execute(query.limit(limit + 1)).all()
    items = [Candidate(row.account_id, row.name, row.incident_at_ms) for row in found[:limit]]
    return Page(items, _cursor(found[limit - 1]) if len(found) > limit else None)


def missing_from_directory(engine: Engine, account_ids: Iterable[str]) -> list[str]:
    """Pick the accounts that are not listed, or only without a name.

    So are those of which nothing was copied since there is a directory.
    """
    key = (accounts.c.account_id,)
    wanted = batch(engine.dialect.name, key)
    query = select(wanted.c.account_id).where(
        ~select(accounts.c.account_id)
        .where(accounts.c.account_id == wanted.c.account_id, accounts.c.name != "")
        .exists()
    )
    rows = [{"account_id": account_id} for account_id in account_ids]
    with reading(engine) as connection:
        return sorted(connection.execute(query, rows_of(connection, key, rows)).scalars())


def enlist(engine: Engine, shard: int, told: Iterable[Listing]) -> None:
    """Add what was read from the ledger of accounts of one shard to the directory."""
    with writing(engine) as connection:
        hold_shard(connection, shard)
        merge_listings(connection, told)


def _page(
    engine: Engine,
    order: Order,
    chosen: Sequence[ColumnElement[bool]],
    after: str | None,
    limit: int,
) -> Page[Listed]:
    key = _SORTED_BY[order]
    query = _sorted(select(key, *_LISTED).where(*chosen), key, order.is_descending)
    if after is not None:
        query = query.where(_behind(key, _parse(order, after), order.is_descending))
    with reading(engine) as connection:
        found = connection.execute(query.limit(limit + 1)).all()
    items = [Listed(*row[1:]) for row in found[:limit]]
    return Page(items, _cursor(found[limit - 1]) if len(found) > limit else None)


def _sorted(query: Select[Any], key: ColumnElement[Any], is_descending: bool) -> Select[Any]:
    columns = (key, accounts.c.account_id)
    return query.order_by(*(each.desc() if is_descending else each.asc() for each in columns))


def _behind(
    key: ColumnElement[Any], place: tuple[str | int, str], is_descending: bool
) -> ColumnElement[bool]:
    here, there = tuple_(key, accounts.c.account_id), tuple_(*place)
    return here < there if is_descending else here > there


def _cursor(row: Row[Any]) -> str:
    return f"{row[0]}:{row.account_id}"


def _parse(order: Order, cursor: str) -> tuple[str | int, str]:
    key, _, account_id = cursor.rpartition(":")
    # What cannot be printed is in no name, and PostgreSQL would not take some of it.
    is_key = key.isprintable() if order is Order.NAME else _NUMBER.fullmatch(key) is not None
    if not is_account_id(account_id) or not is_key:
        raise BadCursor("no page has made this cursor")
    return (key if order is Order.NAME else int(key)), account_id
