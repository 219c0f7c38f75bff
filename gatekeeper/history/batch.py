"""Many rows as one parameter of one statement, for both databases.

A statement with a parameter for each value of each row is long, differs with the number of rows
and is parsed anew each time; that costs several times what storing the rows does. Statements over
a batch do not depend on its rows, so each is built once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    Subquery,
    Table,
    Text,
    Update,
    bindparam,
    column,
    delete,
    func,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]
Columns = tuple[Column[Any], ...]
Insert = postgresql.Insert | sqlite.Insert

POSTGRESQL: Final = "postgresql"
_ROWS: Final = bindparam("rows", type_=Text)


@cache
def batch(dialect: str, columns: Columns) -> Subquery:
    """Make what `rows_of` gives something to select from, with columns as these are named."""
    return _recordset(columns) if dialect == POSTGRESQL else _json_each(columns)


def rows_of(connection: Connection, columns: Columns, rows: Sequence[Row]) -> dict[str, str]:
    """Make the parameter of a statement over a batch with these columns."""
    if connection.dialect.name == POSTGRESQL:
        return {_ROWS.key: json.dumps(rows, separators=(",", ":"))}
    # SQLite finds values by their place faster than by their name.
    tuples = [[row[each.name] for each in columns] for row in rows]
    return {_ROWS.key: json.dumps(tuples, separators=(",", ":"))}


def _recordset(columns: Columns) -> Subquery:
    typed = (column(each.name, each.type) for each in columns)
    source = func.json_to_recordset(_ROWS.cast(postgresql.JSON)).table_valued(*typed)
    return select(source.render_derived(name="rows", with_types=True)).subquery("batch")


def _json_each(columns: Columns) -> Subquery:
    each_row = func.json_each(_ROWS).table_valued("value")
    values = (
        func.json_extract(each_row.c.value, f"$[{place}]").label(each.name)
        for place, each in enumerate(columns)
    )
    return select(*values).subquery("batch")


def insert_batch(dialect: str, table: Table) -> Insert:
    """Make the statement that inserts rows, to be completed by what to do ON CONFLICT."""
    # SQLite would read ON CONFLICT as the condition of a join if no WHERE stood before it.
    chosen = select(batch(dialect, tuple(table.columns))).where(true())
    # Both databases know ON CONFLICT; SQLAlchemy has it with each one's own INSERT alone.
    insert: Insert = postgresql.insert(table) if dialect == POSTGRESQL else sqlite.insert(table)
    return insert.from_select(list(table.columns), chosen)


@cache
def insert_new(dialect: str, table: Table) -> Insert:
    """Make the statement that inserts the rows that are not there yet."""
    return insert_batch(dialect, table).on_conflict_do_nothing()


def write_batch(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, or overwrite those that are there."""
    if rows:
        statement = _overwrite(connection.dialect.name, table)
        connection.execute(statement, rows_of(connection, tuple(table.columns), rows))


@cache
def _overwrite(dialect: str, table: Table) -> Insert:
    insert = insert_batch(dialect, table)
    key = list(table.primary_key)
    others = {each: insert.excluded[each.name] for each in table.columns if each not in key}
    return insert.on_conflict_do_update(index_elements=key, set_=others)


def update_batch(
    connection: Connection, table: Table, changed: Columns, rows: Sequence[Row]
) -> None:
    """Overwrite some columns of rows that are there."""
    if rows:
        columns = (*table.primary_key, *changed)
        statement = _update(connection.dialect.name, table, changed)
        connection.execute(statement, rows_of(connection, columns, rows))


@cache
def _update(dialect: str, table: Table, changed: Columns) -> Update:
    key = tuple(table.primary_key)
    rows = batch(dialect, (*key, *changed))
    same_row = (each == rows.c[each.name] for each in key)
    values = {each.name: rows.c[each.name] for each in changed}
    return table.update().where(*same_row).values(values)


def delete_batch(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete the rows that have these primary keys."""
    if keys:
        statement = _delete(connection.dialect.name, table)
        connection.execute(statement, rows_of(connection, tuple(table.primary_key), keys))


@cache
def _delete(dialect: str, table: Table) -> Delete:
    key = tuple(table.primary_key)
    return delete(table).where(tuple_(*key).in_(select(batch(dialect, key))))
