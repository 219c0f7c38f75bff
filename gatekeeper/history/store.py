"""The write side: entries go in once, and all that is put together from them with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, Engine, select, update

from gatekeeper.domain.entry import Entry
from gatekeeper.history.batch import insert_new, rows_of
from gatekeeper.history.call import HUNG_UP_BELOW_S
from gatekeeper.history.call_writer import write_calls
from gatekeeper.history.directory_writer import write_directory
from gatekeeper.history.engine import reading, writing
from gatekeeper.history.meter_writer import write_meters
from gatekeeper.history.rows import entry_row
from gatekeeper.history.tables import entries, positions


class Position(NamedTuple):
    """A place in a shard's log: an entry's id, and how many entries there ever were up to it."""

    id_ms: int
    id_seq: int
    entries: int

    @property
    def entry_id(self) -> str:
        """The id as the log has it."""
        return f"{self.id_ms}-{self.id_seq}"


#: Stands before every entry.
LOG_START: Final = Position(0, 0, 0)


def read_positions(engine: Engine) -> dict[int, Position]:
    """Read how far each shard's log has been copied; those never copied are missing."""
    with reading(engine) as connection:
        return {row.shard: Position(*row[1:]) for row in connection.execute(select(positions))}


def record(
    engine: Engine,
    shard: int,
    page: Iterable[Entry],
    *,
    before: Position,
    after: Position,
    hung_up_below_s: int = HUNG_UP_BELOW_S,
) -> bool:
    """Store entries of one shard and move its position from `before` to `after`, all or nothing.

    False, and nothing was stored, when the position was no longer `before`: another relay was
    faster. Entries that are stored already change nothing, whatever their order.

    The position's row is written first, so a shard has one writer at a time; its accounts are in
    no other shard. Raises UnreadableEntry; sqlalchemy.exc.SQLAlchemyError: if the connection was
    lost at the very end it is unknown whether all or nothing was stored.
    """
    with writing(engine) as connection:
        if not _move(connection, shard, before, after):
            return False
        new = _insert_entries(connection, page)
        write_meters(connection, write_calls(connection, new, hung_up_below_s=hung_up_below_s))
        write_directory(connection, new)
    return True


def hold_shard(connection: Connection, shard: int) -> None:
    """Keep others from writing of a shard's accounts until this transaction ends."""
    _begin_shard(connection, shard)
    connection.execute(update(positions).where(positions.c.shard == shard).values(shard=shard))


def _begin_shard(connection: Connection, shard: int) -> None:
    """Write the position of a shard that has none."""
    first = [{"shard": shard, **LOG_START._asdict()}]
    insert = insert_new(connection.dialect.name, positions)
    connection.execute(insert, rows_of(connection, tuple(positions.columns), first))


def _move(connection: Connection, shard: int, before: Position, after: Position) -> bool:
    if before == LOG_START:
        _begin_shard(connection, shard)
    moved = connection.execute(
        update(positions)
        .where(
            positions.c.shard == shard,
            positions.c.id_ms == before.id_ms,
            positions.c.id_seq == before.id_seq,
            positions.c.entries == before.entries,
        )
        .values(after._asdict())
    )
    return moved.rowcount == 1


def _insert_entries(connection: Connection, page: Iterable[Entry]) -> list[Entry]:
    """Insert entries of one shard; returns those that were not there yet."""
    by_id = {entry.id: entry for entry in page}
    if not by_id:
        return []
    rows = rows_of(connection, tuple(entries.columns), [entry_row(each) for each in by_id.values()])
    insert = insert_new(connection.dialect.name, entries)
    with connection.begin_nested() as attempt:
        if connection.execute(insert, rows).rowcount == len(by_id):
            return list(by_id.values())
        attempt.rollback()
    # Some were there, which to find out takes time: it only happens after a position was lost.
    inserted = connection.execute(insert.returning(entries.c.id_ms, entries.c.id_seq), rows)
    return [by_id[f"{id_ms}-{id_seq}"] for id_ms, id_seq in inserted.all()]
