"""CSV of entries and calls as a stream: a page is read when the one before has been taken."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from gatekeeper.domain.entry import WITH_CHANGE, Entry, moved_of
from gatekeeper.domain.money import decimal_of_minor
from gatekeeper.history.call import Call
from gatekeeper.history.queries import (
    ALL_CALLS,
    CallFilter,
    Page,
    calls_page,
    entries_page,
    statement_page,
)

_PAGE: Final = 500
#: What a spreadsheet takes for a formula, unless it is a number. See
#: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")

T = TypeVar("T")
Cell = str | int | None

ENTRY_HEADER: Final = (
    *("id", "time", "type", "allotment_change", "purchased_change"),
    *("allotment", "purchased", "balance", "reference", "cause", "number", "detail"),
)
STATEMENT_HEADER: Final = (
    *("id", "time", "type", "allotment_change", "purchased_change"),
    *("allotment", "purchased", "balance", "paid", "currency", "reference", "cause"),
    *("what", "state"),
)
CALL_HEADER: Final = (
    *("call_sid", "started", "number", "decision", "reason", "outcome"),
    *("ended", "end", "duration_s", "credits", "direction"),
)


def csv_of(header: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Iterator[str]:
    """Make CSV, line by line, whose cells no spreadsheet takes for formulas."""
    yield _line(header)
    for row in rows:
        yield _line(row)


def export_entries(
    engine: Engine, account_id: str, zone: ZoneInfo, *, not_copied: Sequence[Entry] = ()
) -> Iterator[str]:
    """Export an account's entries, newest first, with times of a zone.

    It begins with those that the log had and history had not, newest first; they may have been
    copied since. Raises sqlalchemy.exc.SQLAlchemyError, also in the midst of it.
    """
    newest = not_copied[0].id if not_copied else None
    pages = _pages(
        lambda after: entries_page(engine, account_id, after=after or newest, limit=_PAGE)
    )
    written = {entry.id for entry in not_copied}
    entries = chain(not_copied, (entry for entry in pages if entry.id not in written))
    return csv_of(ENTRY_HEADER, (_entry_cells(entry, zone) for entry in entries))


def export_statement(
    engine: Engine,
    account_id: str,
    zone: ZoneInfo,
    *,
    words: Callable[[Entry], tuple[str, str]],
) -> Iterator[str]:
    """Export the lines of an account's statement, newest first. Raises as above.

    `words` puts an entry into words: what it is, and how it ended.
    """
    pages = _pages(lambda after: statement_page(engine, account_id, after=after, limit=_PAGE))
    cells = ((*_statement_cells(entry, zone), *words(entry)) for entry in pages)
    return csv_of(STATEMENT_HEADER, cells)


def export_calls(
    engine: Engine, account_id: str, zone: ZoneInfo, *, chosen: CallFilter = ALL_CALLS
) -> Iterator[str]:
    """Export an account's calls, newest first, with times of a zone. Raises as above."""
    pages = _pages(
        lambda after: calls_page(engine, account_id, chosen=chosen, after=after, limit=_PAGE)
    )
    return csv_of(CALL_HEADER, (_call_cells(call, zone) for call in pages))


def _pages(read: Callable[[str | None], Page[T]]) -> Iterator[T]:
    page = read(None)
    yield from page.items
    while page.next is not None:
        page = read(page.next)
        yield from page.items


def _entry_cells(entry: Entry, zone: ZoneInfo) -> tuple[Cell, ...]:
    return (
        entry.id,
        _time(entry.at_ms, zone),
        str(entry.type),
        entry.allotment_delta,
        entry.purchased_delta,
        entry.allotment,
        entry.purchased,
        entry.allotment + entry.purchased,
        entry.ref,
        entry.cause,
        entry.number,
        entry.detail if entry.type in WITH_CHANGE else entry.note,
    )


def _statement_cells(entry: Entry, zone: ZoneInfo) -> tuple[Cell, ...]:
    paid, currency = "", ""
    if moved := moved_of(entry):
        paid, currency = decimal_of_minor(*moved), moved[1].upper()
    until_balance = _entry_cells(entry, zone)[: STATEMENT_HEADER.index("paid")]
    return *until_balance, paid, currency, entry.ref, entry.cause


def _call_cells(call: Call, zone: ZoneInfo) -> tuple[Cell, ...]:
    return (
        call.call_sid,
        _time(call.started_at_ms, zone),
        call.number,
        call.decision.value,
        call.reason.value,
        call.outcome.value,
        _time(call.ended_at_ms, zone),
        call.end.value if call.end else None,
        call.duration_s,
        call.credits,
        call.direction.value,
    )


def _time(at_ms: int | None, zone: ZoneInfo) -> str | None:
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone)
    return moment.isoformat(timespec="seconds")


def _line(cells: Iterable[Cell]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(cell) for cell in cells])
    return line.getvalue()


def _harmless(cell: Cell) -> Cell:
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
