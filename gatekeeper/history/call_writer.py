"""Keeps the calls: adds new entries to the calls that they tell of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, select

from gatekeeper.domain.call import Direction
from gatekeeper.domain.entry import Entry
from gatekeeper.history.batch import batch, rows_of, update_batch, write_batch
from gatekeeper.history.call import CALL_ENTRIES, Call, Outcome, add_entry, call_begun_by
from gatekeeper.history.rows import call_row, read_call
from gatekeeper.history.tables import calls

#: CallSid and account.
_Key = tuple[str, str]
#: What a call's end changes when the call stays where it is.
_FACTS: Final = tuple(
    calls.c[name]
    for name in (
        *("detail", "ended_at_ms", "end", "duration_s"),
        *("debits", "releases", "dropped", "withdrawn"),
    )
)
_KEY: Final = tuple(calls.primary_key)


class UnreadableEntry(ValueError):
    """An entry says what this version does not understand: it is broken, or from a newer one."""

    def __init__(self, entry_id: str, why: object) -> None:
        self.entry_id = entry_id
        super().__init__(f"entry {entry_id} cannot be read: {why}")


class Place(NamedTuple):
    """What a call is found and counted by."""

    account_id: str
    direction: Direction
    number: str
    outcome: Outcome
    reason: str
    started_at_ms: int


class Moves(NamedTuple):
    """Where calls were, and where they, and new ones, are now."""

    left: list[Place]
    taken: list[Place]


def write_calls(connection: Connection, new: Iterable[Entry], *, hung_up_below_s: int) -> Moves:
    """Add new entries to their calls. Raises UnreadableEntry."""
    told = [entry for entry in new if entry.type in CALL_ENTRIES]
    if not told:
        return Moves([], [])
    found = _read_calls(connection, told)
    before = {key: _place_of(call) for key, call in found.items()}
    for entry in told:
        key = (entry.ref, entry.account_id)
        call = found.get(key) or found.setdefault(key, call_begun_by(entry))
        try:
            add_entry(call, entry, hung_up_below_s=hung_up_below_s)
        except ValueError as error:
            raise UnreadableEntry(entry.id, error) from error
    after = {key: _place_of(call) for key, call in found.items()}
    moved = {key for key, place in after.items() if place != before.get(key)}
    # A call that stays where it is need not be written to every index again.
    write_batch(connection, calls, [call_row(found[key]) for key in moved])
    stayed = [call_row(found[key]) for key in found.keys() - moved]
    update_batch(connection, calls, _FACTS, stayed)
    return Moves([before[key] for key in moved & before.keys()], [after[key] for key in moved])


def _read_calls(connection: Connection, told: Iterable[Entry]) -> dict[_Key, Call]:
    keys = {(entry.ref, entry.account_id) for entry in told}
    rows = [{"call_sid": call_sid, "account_id": account_id} for call_sid, account_id in keys]
    query = _wanted_calls(connection.dialect.name)
    found = connection.execute(query, rows_of(connection, _KEY, rows)).mappings().all()
    return {(row["call_sid"], row["account_id"]): read_call(row) for row in found}


@cache
def _wanted_calls(dialect: str) -> Select[Any]:
    wanted = batch(dialect, _KEY)
    return select(calls).join(wanted, and_(*(each == wanted.c[each.name] for each in _KEY)))


def _place_of(call: Call) -> Place:
    return Place(
        call.account_id,
        call.direction,
        call.number,
        call.outcome,
        call.reason,
        call.started_at_ms,
    )
