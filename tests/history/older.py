"""History as an older version of its tables has it."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, MetaData, Table

from gatekeeper.history import migrations
from gatekeeper.history.batch import Row
from gatekeeper.history.engine import writing


def migrate_to(engine: Engine, revision: str) -> None:
    """Make the tables of a revision."""
    with writing(engine) as connection:
        config: Config = migrations._config(connection)
        command.upgrade(config, revision)


def insert_into_older(engine: Engine, name: str, row: Row) -> None:
    """Insert what a table has columns for of a row."""
    with writing(engine) as connection:
        table = Table(name, MetaData(), autoload_with=connection)
        known = {key: value for key, value in row.items() if key in table.columns}
        connection.execute(table.insert().values(known))
