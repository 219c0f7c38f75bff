"""Many rows as one parameter of one statement, for both databases.

A statement with a parameter for each value of each row is long, differs with the number of rows
and is parsed anew each time; that costs several times what storing the rows does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Subquery,
    Table,
    Text,
    column,
    delete,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]
Insert = postgresql.Insert | sqlite.Insert


def batch_of(
    connection: Connection, columns: Sequence[Column[Any]], rows: Sequence[Row]
) -> Subquery:
    """Make rows something to select from, with columns as named and typed by these."""
    if connection.dialect.name == "postgresql":
        return _recordset(columns, rows)
    return _json_each(columns, rows)


def _recordset(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> Subquery:
    typed = (column(each.name, each.type) for each in columns)
    payload = literal(json.dumps(rows, separators=(",", ":")), Text).cast(postgresql.JSON)
    source = func.json_to_recordset(payload).table_valued(*typed)
    return select(source.render_derived(name="rows", with_types=True)).subquery("batch")


def _json_each(columns: Sequence[Column[Any]], rows: Sequence[Row]) -> Subquery:
    # SQLite finds values by their place faster than by their name.
    tuples = [[row[each.name] for each in columns] for row in rows]
    each_row = func.json_each(json.dumps(tuples, separators=(",", ":"))).table_valued("value")
    values = (
        func.json_extract(each_row.c.value, f"$[{place}]").label(each.name)
        for place, each in enumerate(columns)
    )
    return select(*values).subquery("batch")


def insert_batch(connection: Connection, table: Table, rows: Sequence[Row]) -> Insert:
    """Make the statement that inserts rows, to be completed by what to do ON CONFLICT."""
    batch = batch_of(connection, list(table.columns), rows)
    # SQLite would read ON CONFLICT as the condition of a join if no WHERE stood before it.
    chosen = select(batch).where(true())
    # Both databases know ON CONFLICT; SQLAlchemy has it with each one's own INSERT alone.
    is_postgresql = connection.dialect.name == "postgresql"
    insert: Insert = postgresql.insert(table) if is_postgresql else sqlite.insert(table)
    return insert.from_select(list(table.columns), chosen)


def write_batch(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or overwrite those that are there."""
    if not rows:
        return
    insert = insert_batch(connection, table, rows)
    key = list(table.primary_key)
    others = {each: insert.excluded[each.name] for each in table.columns if each not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=others))


def update_batch(
    connection: Connection, table: Table, changed: Sequence[Column[Any]], rows: Sequence[Row]
) -> None:
    """Overwrite some columns of rows that are there."""
    if not rows:
        return
    key = list(table.primary_key)
    batch = batch_of(connection, [*key, *changed], rows)
    same_row = (each == batch.c[each.name] for each in key)
    values = {each.name: batch.c[each.name] for each in changed}
    connection.execute(table.update().where(*same_row).values(values))


def delete_batch(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete the rows that have these primary keys."""
    if not keys:
        return
    key = list(table.primary_key)
    batch = batch_of(connection, key, keys)
    connection.execute(delete(table).where(tuple_(*key).in_(select(batch))))
