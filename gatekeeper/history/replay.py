"""Everything that history holds, account by account, for what checks all of it.

Rows are streamed from the database in the order of keys, so reading them takes no memory, and all
of them are as of one instant. All raise sqlalchemy.exc.SQLAlchemyError.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, select

from gatekeeper.domain.line import Line
from gatekeeper.history.call import Outcome
from gatekeeper.history.engine import reading
from gatekeeper.history.store import Position
from gatekeeper.history.tables import accounts, calls, entries, meter_readings, positions

_FETCHED: Final = 2000
#: What `Replay.calls` yields of a call, in this order.
CALL_FACTS: Final = (
    *("account_id", "call_sid", "number", "outcome", "reason", "started_at_ms", "detail"),
    *("ended_at_ms", "end", "duration_s", "debits", "releases", "dropped", "withdrawn"),
    "direction",
)
#: What `Replay.readings` yields of a meter, in this order.
METER_FACTS: Final = ("account_id", "number", "quarter", *Outcome)

Row = tuple[Any, ...]


class Replay:
    """History as it was at one instant: of one account where one is named, else of all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def positions(self) -> dict[int, Position]:
        """Read how far each shard's log had been copied; those never copied are missing."""
        return {
            row.shard: Position(*row[1:]) for row in self._connection.execute(select(positions))
        }

    def lines(self, account_id: str | None = None) -> Iterator[Line]:
        """Yield each account's entries in the log's order."""
        query = select(*(entries.c[name] for name in Line._fields))
        if account_id is not None:
            query = query.where(entries.c.account_id == account_id)
        return map(Line._make, self._stream(query.order_by(*entries.primary_key)))

    def calls(self, account_id: str | None = None) -> Iterator[Row]:
        """Yield the CALL_FACTS of each account's calls."""
        query = select(*(calls.c[name] for name in CALL_FACTS))
        if account_id is not None:
            query = query.where(calls.c.account_id == account_id)
        by_start = ("account_id", "direction", "started_at_ms", "call_sid")
        return map(tuple, self._stream(query.order_by(*(calls.c[name] for name in by_start))))

    def readings(self, account_id: str | None = None) -> Iterator[Row]:
        """Yield the METER_FACTS of every reading of each account's meters."""
        query = select(*(meter_readings.c[name] for name in METER_FACTS))
        if account_id is not None:
            query = query.where(meter_readings.c.account_id == account_id)
        return map(tuple, self._stream(query.order_by(*meter_readings.primary_key)))

    def listings(self, account_id: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each account's id and its row of the directory."""
        query = select(accounts)
        if account_id is not None:
            query = query.where(accounts.c.account_id == account_id)
        rows = self._stream(query.order_by(accounts.c.account_id))
        return ((row.account_id, row._asdict()) for row in rows)

    def _stream(self, query: Select[Any]) -> Iterator[Any]:
        return iter(self._connection.execute(query, execution_options={"yield_per": _FETCHED}))


@contextmanager
def replaying(engine: Engine) -> Iterator[Replay]:
    """Give history as it is now, for as long as the context lasts."""
    with reading(engine) as connection:
        yield Replay(connection)
