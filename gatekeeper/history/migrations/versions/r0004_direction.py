"""Which calls were inbound and which outbound, and how often a call's credit went back.

All entries and calls that were there before count as inbound, and a credit went back once or never.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
#: Each index again, with the direction behind the account.
_INDEXES = {
    "calls_by_start": ["started_at_ms", "call_sid"],
    "calls_by_outcome": ["outcome", "reason", "started_at_ms", "call_sid"],
    "calls_by_number": ["number", "outcome", "reason", "started_at_ms", "call_sid"],
}


def upgrade() -> None:
    """Change the tables."""
    for table in ("entries", "calls"):
        direction = sa.Column("direction", _KEY, nullable=False, server_default="inbound")
        op.add_column(table, direction)
    _count_releases()
    for index, columns in _INDEXES.items():
        op.drop_index(index, "calls")
        op.create_index(index, "calls", ["account_id", "direction", *columns])


def _count_releases() -> None:
    releases = sa.Column("releases", sa.Integer, nullable=False, server_default="0")
    op.add_column("calls", releases)
    op.execute("UPDATE calls SET releases = 1 WHERE released")
    op.drop_column("calls", "released")
