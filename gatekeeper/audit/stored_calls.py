"""Whether one account's calls and meters in SQL are what its entries there say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, Final

from gatekeeper.audit.meters import MetersAudit
from gatekeeper.domain.call import Direction
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.line import Line
from gatekeeper.history.call import (
    CALL_ENTRIES,
    HUNG_UP_BELOW_S,
    Call,
    Outcome,
    add_entry,
    call_begun_by,
)
from gatekeeper.history.replay import CALL_FACTS, Row

_facts_of = attrgetter(*CALL_FACTS)
_OUTCOME: Final = CALL_FACTS.index("outcome")
_ANSWERED: Final = (Outcome.CONVERSATION, Outcome.HUNG_UP)


class StoredCallsAudit:
    """Puts calls together from one account's entries, and holds SQL's against them.

    Whether an answered call was hung up at once depends on a setting of the time when it ended,
    so either is right for one whose duration is known.
    """

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._problems: list[str] = []
        self._seen_at_ms = 0

    def add(self, line: Line) -> None:
        """Take in the next entry that SQL has."""
        if line.type not in CALL_ENTRIES:
            return
        try:
            entry = _entry(line)
            call = self._calls.get(line.ref)
            if call is None:
                call = self._calls[line.ref] = call_begun_by(entry)
            self._seen_at_ms = max(self._seen_at_ms, entry.at_ms)
            add_entry(call, entry, hung_up_below_s=HUNG_UP_BELOW_S)
        except ValueError as error:
            self._problems.append(f"entry {line.id} cannot be understood: {error}")

    def last_call(self) -> tuple[int, int]:
        """Tell between what times the directory may say that the last call began.

        To be asked first. It counts the calls that were decided; a listing that was filled later
        counts also those that are known by their end alone, and a call may be decided twice.
        """
        decided = (call for call in self._calls.values() if call.debits or call.dropped)
        return max((call.started_at_ms for call in decided), default=0), self._seen_at_ms

    def differences(self, calls: Iterable[Row], readings: Iterable[Row]) -> Iterator[str]:
        """Name what differs, one line each, given the account's rows (see history/replay.py)."""
        yield from self._problems
        meters = MetersAudit()
        for row in calls:
            _, call_sid, number, outcome, _, started_at_ms, *_ = row
            meters.count(number, started_at_ms, outcome)
            call = self._calls.pop(call_sid, None)
            if call is None:
                yield f"call {call_sid} is among the calls of SQL, but no entry tells of it"
            elif (must_be := _facts_of(call)) != row and not _only_hung_up(must_be, row):
                yield f"call {call_sid} {_difference(must_be, row)}"
        if self._calls:
            first = min(self._calls)
            yield f"{len(self._calls)} calls ({first} ...) have entries, but are not among SQL's"
        yield from meters.differences(readings)


def _entry(line: Line) -> Entry:
    return Entry(
        line.id,
        line.at_ms,
        line.account_id,
        EntryType(line.type),
        line.allotment_delta,
        line.purchased_delta,
        line.allotment,
        line.purchased,
        line.ref,
        line.cause,
        line.number,
        line.detail,
        Direction(line.direction),
    )


def _only_hung_up(must_be: Row, row: Row) -> bool:
    """Whether nothing but the setting for calls that were hung up at once makes a difference."""
    is_either = must_be[_OUTCOME] in _ANSWERED and row[_OUTCOME] in _ANSWERED
    has_duration = row[CALL_FACTS.index("duration_s")] is not None
    return is_either and has_duration and _without_outcome(must_be) == _without_outcome(row)


def _without_outcome(facts: Row) -> Row:
    return facts[:_OUTCOME] + facts[_OUTCOME + 1 :]


def _difference(must_be: Row, row: Row) -> str:
    told = (
        f"{name} {_plain(is_)} in SQL and {_plain(must)} by its entries"
        for name, must, is_ in zip(CALL_FACTS, must_be, row, strict=True)
        if must != is_
    )
    return f"has {', '.join(told)}"


def _plain(value: Any) -> str:
    return repr(value.value) if hasattr(value, "value") else repr(value)
