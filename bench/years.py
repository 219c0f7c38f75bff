"""Accounts with a year of calls, as rows of history's tables.

History's writer would take minutes for a million calls. So its rows are inserted without it, and
an account with few calls is written by both, to see that the rows are the same.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import Engine, Table, select

from bench.databases import Database, History, Rows
from bench.rounds import InvalidRound
from gatekeeper.domain.call import CallEnd, Reason
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.batch import Row
from gatekeeper.history.call import HUNG_UP_BELOW_S, Call, add_entry, call_begun_by
from gatekeeper.history.engine import reading
from gatekeeper.history.meter import QUARTER_MS, Usage
from gatekeeper.history.rows import call_row, entry_row, usage_row
from gatekeeper.history.store import LOG_START, record
from gatekeeper.history.tables import ALL_NUMBERS, calls, entries, meter_readings

BEGIN_MS: Final = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp() * 1000)
END_MS: Final = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp() * 1000)
NUMBERS: Final = tuple(f"+155500{n:05}" for n in range(4))
#: Five days each, in one transaction: the rows of all accounts lie side by side, as they come in.
_SLICES: Final = 73
_RECORD: Final = "oAala1 1000 0 0 50 200 200 - - 0 1 1763812800000"


@dataclass(frozen=True, slots=True)
class _Story:
    """What becomes of a call."""

    begun: EntryType
    reason: Reason
    ended: EntryType
    end: CallEnd
    duration_s: int


_DEBITED, _SETTLED = EntryType.CALL_DEBITED, EntryType.CALL_SETTLED
_DELTAS: Final = {_DEBITED: -1, EntryType.CALL_RELEASED: 1}
#: In turn. The last but two is hung up at once.
_STORIES: Final = (
    *(_Story(_DEBITED, Reason.ALLOTMENT, _SETTLED, CallEnd.COMPLETED, 95),) * 6,
    _Story(_DEBITED, Reason.PURCHASED, _SETTLED, CallEnd.COMPLETED, 240),
    _Story(_DEBITED, Reason.ALLOTMENT, _SETTLED, CallEnd.COMPLETED, 2),
    _Story(_DEBITED, Reason.PURCHASED, EntryType.CALL_RELEASED, CallEnd.NO_ANSWER, 0),
    _Story(EntryType.CALL_DROPPED, Reason.EMPTY_TOPOFF_OFF, _SETTLED, CallEnd.COMPLETED, 6),
)


@dataclass(frozen=True, slots=True)
class Year:
    """So many calls of an account, spread evenly over a year."""

    account_id: str
    calls: int

    def began_at_ms(self, n: int) -> int:
        """When the nth call began."""
        return BEGIN_MS + (END_MS - BEGIN_MS) * n // self.calls

    def call_sid(self, n: int) -> str:
        """Make the nth call's CallSid: as random as Twilio's, and the same each time."""
        return f"CA{hashlib.md5(f'{self.account_id} {n}'.encode()).hexdigest()}"

    def entries_of(self, n: int) -> tuple[Entry, Entry]:
        """Make the entries of the nth call: how it began and how it ended."""
        story = _STORIES[n % len(_STORIES)]
        begun = self._entry(n, 0, story.begun, story.reason, _RECORD)
        ended = self._entry(n, story.duration_s, story.ended, story.end, str(story.duration_s))
        return begun, ended

    def _entry(self, n: int, late_s: int, type_: EntryType, cause: str, detail: str) -> Entry:
        at_ms = self.began_at_ms(n) + late_s * 1000
        return Entry(
            id=f"{at_ms}-{2 * n + (type_ not in (_DEBITED, EntryType.CALL_DROPPED))}",
            at_ms=at_ms,
            account_id=self.account_id,
            type=type_,
            allotment_delta=_DELTAS.get(type_, 0),
            purchased_delta=0,
            allotment=self.calls - n,
            purchased=0,
            ref=self.call_sid(n),
            cause=cause,
            number=NUMBERS[n // len(_STORIES) % len(NUMBERS)],
            detail=detail,
        )


def fill(histories: Sequence[History], years: Sequence[Year]) -> None:
    """Insert years side by side into the same tables, and tidy up."""
    for slices in zip(*(_slices(year) for year in years), strict=True):
        for history in histories:
            for tables in slices:
                for table, rows in tables.items():
                    history.insert(table, rows)
            history.commit()
    for history in histories:
        history.tidy()


def check(database: Database, history: History, year: Year) -> None:
    """Compare a year with what history's writer makes of it. Raises InvalidRound."""
    told = (entry for n in range(year.calls) for entry in year.entries_of(n))
    with database.empty_history() as written:
        record(written.engine, 0, told, before=LOG_START, after=LOG_START)
        for table in (entries, calls, meter_readings):
            if _rows_of(history.engine, table, year) != _rows_of(written.engine, table, year):
                raise InvalidRound(f"{database.name}: inserted {table.name} are not as written")


def _rows_of(engine: Engine, table: Table, year: Year) -> Rows:
    mine = select(table).where(table.c.account_id == year.account_id)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(mine.order_by(*table.primary_key))]


def _slices(year: Year) -> Iterator[dict[Table, Rows]]:
    """Make a year's rows, slice by slice. Each begins with a quarter of an hour."""
    meters: dict[str, Usage] = defaultdict(Usage)
    bounds = [-(-year.calls * place // _SLICES) for place in range(_SLICES + 1)]
    for first, end in pairwise(bounds):
        told = [year.entries_of(n) for n in range(first, end)]
        begun = [_call_of(pair) for pair in told]
        yield {
            entries: [_tuple(entries, entry_row(entry)) for pair in told for entry in pair],
            calls: [_tuple(calls, call_row(call)) for call in begun],
            meter_readings: _readings(year.account_id, meters, begun),
        }


def _call_of(told: Sequence[Entry]) -> Call:
    call = call_begun_by(told[0])
    for entry in told:
        add_entry(call, entry, hung_up_below_s=HUNG_UP_BELOW_S)
    return call


def _readings(account_id: str, meters: dict[str, Usage], begun: Sequence[Call]) -> Rows:
    """Let the meters count calls; returns their new readings."""
    shown: dict[tuple[str, int], Usage] = {}
    for call in begun:
        one = Usage(**{call.outcome.value: 1})
        for number in (call.number, ALL_NUMBERS):
            meters[number] += one
            shown[number, call.started_at_ms // QUARTER_MS] = meters[number]
    return [
        (account_id, number, quarter, *usage_row(usage).values())
        for (number, quarter), usage in shown.items()
    ]


def _tuple(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple([row[column.name] for column in table.columns])
