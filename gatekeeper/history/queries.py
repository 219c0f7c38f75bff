"""The read side: pages of entries and calls, one call, the balance at a point in time.

Each is served by an index and costs the same however long an account's history is. Pages go on
where one ended, by key. All raise sqlalchemy.exc.SQLAlchemyError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, Engine, RowMapping, Select, func, select, tuple_, union_all

from gatekeeper.domain.call import Direction, Reason
from gatekeeper.domain.entry import Entry
from gatekeeper.history.call import REASONS_OF, Call, Outcome
from gatekeeper.history.engine import reading
from gatekeeper.history.rows import read_call, read_entry
from gatekeeper.history.tables import IS_OF_STATEMENT, calls, entries

#: The clocks of processes that write entries may differ by so much.
CLOCK_SKEW_MS: Final = 5_000

_ENTRY_CURSOR: Final = re.compile(r"([0-9]{1,15})-([0-9]{1,15})")
_CALL_CURSOR: Final = re.compile(r"([0-9]{1,15})-(CA[0-9a-fA-F]{32})")

T = TypeVar("T")


class BadCursor(ValueError):
    """A text that says where a page begins was not made by a page."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of what there is, newest first. `next` is where the next page begins, None at the end.

    It is made of digits, letters and a hyphen, and means nothing but to the same query.
    """

    items: list[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: begun within `since_ms` <= time < `until_ms`, and of this number, ..."""

    since_ms: int | None = None
    until_ms: int | None = None
    number: str | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None
    direction: Direction | None = None


ALL_CALLS: Final = CallFilter()


@dataclass(frozen=True, slots=True)
class Balance:
    """Both buckets, in credits."""

    allotment: int
    purchased: int

    @property
    def total(self) -> int:
        """Both together; negative in overdraft."""
        return self.allotment + self.purchased


def entries_page(
    engine: Engine, account_id: str, *, after: str | None = None, limit: int = 50
) -> Page[Entry]:
    """Read an account's entries, the last of the log first. Raises BadCursor."""
    return _entries_page(engine, _entries_of(account_id), after, limit)


def statement_page(
    engine: Engine, account_id: str, *, after: str | None = None, limit: int = 50
) -> Page[Entry]:
    """Read those entries that are lines of a statement: charges, purchases, resets, corrections.

    In the same order, and past all calls between them. Raises BadCursor.
    """
    query = _entries_of(account_id).where(IS_OF_STATEMENT)
    return _entries_page(engine, query, after, limit)


def find_entry(engine: Engine, account_id: str, entry_id: str) -> Entry | None:
    """Find an entry of an account by its id; None also for what is no id."""
    match = _ENTRY_CURSOR.fullmatch(entry_id)
    if match is None:
        return None
    query = _entries_of(account_id).where(
        entries.c.id_ms == int(match[1]), entries.c.id_seq == int(match[2])
    )
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    return read_entry(row) if row else None


def calls_page(
    engine: Engine,
    account_id: str,
    *,
    chosen: CallFilter = ALL_CALLS,
    after: str | None = None,
    limit: int = 50,
) -> Page[Call]:
    """Read an account's calls, those that began last first. Raises BadCursor."""
    within = _within(chosen, after)
    scans = [
        select(calls)
        .where(calls.c.account_id == account_id, *kind, *within)
        .order_by(calls.c.started_at_ms.desc(), calls.c.call_sid.desc())
        .limit(limit + 1)
        for kind in _kinds(chosen)
    ]
    if not scans:
        return Page([], None)
    query = scans[0] if len(scans) == 1 else _merged(scans, limit)
    return _page(
        engine, query, limit, read_call, lambda call: f"{call.started_at_ms}-{call.call_sid}"
    )


def find_calls(engine: Engine, call_sid: str) -> list[Call]:
    """Find a call by its CallSid alone: with every account that had it, in their order.

    A number that changes hands while a call goes on leaves a call with both accounts.
    """
    query = select(calls).where(calls.c.call_sid == call_sid).order_by(calls.c.account_id)
    with reading(engine) as connection:
        return [read_call(row) for row in connection.execute(query).mappings()]


def find_call(engine: Engine, account_id: str, call_sid: str) -> Call | None:
    """Find a call of an account."""
    query = select(calls).where(calls.c.call_sid == call_sid, calls.c.account_id == account_id)
    with reading(engine) as connection:
        row = connection.execute(query).mappings().first()
    return read_call(row) if row else None


def balance_at(engine: Engine, account_id: str, at_ms: int) -> Balance | None:
    """Read what both buckets held at an instant; None before the account was opened.

    It is what the log's last entry up to then left. Entries carry the time of the process that
    wrote them and processes' clocks differ a little, so the one with the latest time need not be
    the last of the log.
    """
    mine = entries.c.account_id == account_id
    latest_ms = (
        select(func.max(entries.c.at_ms)).where(mine, entries.c.at_ms <= at_ms).scalar_subquery()
    )
    query = select(
        entries.c.id_ms, entries.c.id_seq, entries.c.allotment, entries.c.purchased
    ).where(mine, entries.c.at_ms.between(latest_ms - CLOCK_SKEW_MS, at_ms))
    with reading(engine) as connection:
        # The last is picked here: told to, a database may walk back through the log for it.
        last = max((tuple(row) for row in connection.execute(query)), default=None)
    return Balance(*last[2:]) if last else None


def _entries_of(account_id: str) -> Select[Any]:
    return select(entries).where(entries.c.account_id == account_id)


def _entries_page(engine: Engine, query: Select[Any], after: str | None, limit: int) -> Page[Entry]:
    place = (entries.c.id_ms, entries.c.id_seq)
    if after is not None:
        id_ms, id_seq = _parse(_ENTRY_CURSOR, after)
        query = query.where(tuple_(*place) < tuple_(int(id_ms), int(id_seq)))
    query = query.order_by(*(column.desc() for column in place)).limit(limit + 1)
    return _page(engine, query, limit, read_entry, lambda entry: entry.id)


def _kinds(chosen: CallFilter) -> list[list[ColumnElement[bool]]]:
    """Cut the choice into scans, each of which finds its calls side by side in one index."""
    directions = Direction if chosen.direction is None else (chosen.direction,)
    return [
        [calls.c.direction == direction, *kind]
        for direction in directions
        for kind in _kinds_either_way(chosen)
    ]


def _kinds_either_way(chosen: CallFilter) -> list[list[ColumnElement[bool]]]:
    if chosen.number is None and chosen.outcome is None and chosen.reason is None:
        return [[]]
    number = [] if chosen.number is None else [calls.c.number == chosen.number]
    return [
        [*number, calls.c.outcome == outcome, calls.c.reason == reason]
        for outcome, reasons in REASONS_OF.items()
        for reason in reasons
        if chosen.outcome in (None, outcome) and chosen.reason in (None, reason)
    ]


def _within(chosen: CallFilter, after: str | None) -> list[ColumnElement[bool]]:
    limits: list[ColumnElement[bool]] = []
    if chosen.since_ms is not None:
        limits.append(calls.c.started_at_ms >= chosen.since_ms)
    if chosen.until_ms is not None:
        limits.append(calls.c.started_at_ms < chosen.until_ms)
    if after is not None:
        started_at_ms, call_sid = _parse(_CALL_CURSOR, after)
        place = tuple_(calls.c.started_at_ms, calls.c.call_sid)
        limits.append(place < tuple_(int(started_at_ms), call_sid))
    return limits


def _merged(scans: list[Select[Any]], limit: int) -> Select[Any]:
    each = [select(scan.subquery()) for scan in scans]
    merged = union_all(*each).subquery()
    newest_first = (merged.c.started_at_ms.desc(), merged.c.call_sid.desc())
    return select(merged).order_by(*newest_first).limit(limit + 1)


def _page(
    engine: Engine,
    query: Select[Any],
    limit: int,
    read: Callable[[RowMapping], T],
    cursor_of: Callable[[T], str],
) -> Page[T]:
    with reading(engine) as connection:
        found = [read(row) for row in connection.execute(query).mappings()]
    items = found[:limit]
    return Page(items, cursor_of(items[-1]) if len(found) > limit else None)


def _parse(shape: re.Pattern[str], cursor: str) -> tuple[str, str]:
    match = shape.fullmatch(cursor)
    if match is None:
        raise BadCursor("no page has made this cursor")
    return match[1], match[2]
