"""Keeps the directory: adds new entries, or what the ledger says, to the accounts' listings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select

from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.call import Direction
from gatekeeper.domain.entry import Entry
from gatekeeper.history.batch import Row, batch, rows_of, update_batch, write_batch
from gatekeeper.history.listing import Listing, add_entry, read_places, write_places
from gatekeeper.history.tables import accounts, calls

_KEY: Final = (accounts.c.account_id,)
#: What most entries change. The rest stands in indexes that need not be written to then.
_MOVING: Final = (accounts.c.last_call_at_ms, accounts.c.balance, accounts.c.places)
_LASTING: Final = tuple(each.name for each in accounts.c if each not in {*_MOVING})
#: What a listing has as it is.
_TOLD: Final = tuple(each.name for each in accounts.c if each.name not in ("name_key", "places"))


def write_directory(connection: Connection, new: Iterable[Entry]) -> None:
    """Add new entries to the listings of their accounts, each of which is written once."""
    by_account: dict[str, list[Entry]] = defaultdict(list)
    for entry in new:
        by_account[entry.account_id].append(entry)
    before = _read_rows(connection, by_account)
    after = [_listing(account_id, before) for account_id in by_account]
    for listing in after:
        for entry in by_account[listing.account_id]:
            add_entry(listing, entry_position(entry.id), entry)
    _write(connection, before, after)


def merge_listings(connection: Connection, told: Iterable[Listing]) -> None:
    """Add what was read from the ledger to the accounts' listings.

    Their last calls are those that history knows of.
    """
    by_id = {listing.account_id: listing for listing in told}
    before, last_calls = _read_rows(connection, by_id), _read_last_calls(connection, by_id)
    after = [_listing(account_id, before) for account_id in by_id]
    for listing in after:
        listing.merge(by_id[listing.account_id])
        listing.note_call(last_calls[listing.account_id])
    _write(connection, before, after)


def _write(connection: Connection, before: Mapping[str, Row], after: Iterable[Listing]) -> None:
    """Write listings, and leave alone what is as before."""
    changed: list[Row] = []
    moved: list[Row] = []
    for listing in after:
        row, old = _row(listing), before.get(listing.account_id)
        if old is None or any(row[name] != old[name] for name in _LASTING):
            changed.append(row)
        elif row != old:
            moved.append(row)
    write_batch(connection, accounts, changed)
    update_batch(connection, accounts, _MOVING, moved)


def _read_rows(connection: Connection, account_ids: Iterable[str]) -> dict[str, Row]:
    query = _wanted(connection.dialect.name)
    found = connection.execute(query, _parameters(connection, account_ids)).mappings()
    return {row["account_id"]: dict(row) for row in found}


@cache
def _wanted(dialect: str) -> Select[Any]:
    wanted = batch(dialect, _KEY)
    return select(accounts).join(wanted, accounts.c.account_id == wanted.c.account_id)


def _read_last_calls(connection: Connection, account_ids: Iterable[str]) -> dict[str, int]:
    query = _last_calls(connection.dialect.name)
    found = connection.execute(query, _parameters(connection, account_ids))
    return {account_id: max(at_ms or 0 for at_ms in last) for account_id, *last in found}


@cache
def _last_calls(dialect: str) -> Select[Any]:
    """Find the last call of each direction: each is the end of a range of an index."""
    wanted = batch(dialect, _KEY)
    own = calls.c.account_id == wanted.c.account_id
    lasts = (
        select(func.max(calls.c.started_at_ms))
        .where(own, calls.c.direction == direction.value)
        .scalar_subquery()
        for direction in Direction
    )
    return select(wanted.c.account_id, *lasts)


def _parameters(connection: Connection, account_ids: Iterable[str]) -> dict[str, str]:
    rows = [{"account_id": account_id} for account_id in account_ids]
    return rows_of(connection, _KEY, rows)


def _listing(account_id: str, rows: Mapping[str, Row]) -> Listing:
    """Read an account's listing, or begin one."""
    row = rows.get(account_id)
    return Listing(account_id) if row is None else read_listing(row)


def read_listing(row: Mapping[str, Any]) -> Listing:
    """Read a row of the directory. Raises ValueError."""
    texts = {name: row[name] for name in _TOLD}
    return Listing(**texts, places=read_places(row["places"]))


def _row(listing: Listing) -> dict[str, Any]:
    return {
        **{name: getattr(listing, name) for name in _TOLD},
        "name_key": listing.name.casefold(),
        "places": write_places(listing.places),
    }
