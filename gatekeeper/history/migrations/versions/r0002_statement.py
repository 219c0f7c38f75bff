"""An index of the entries that are lines of a statement: few, however many calls there were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_IS_OF_STATEMENT = sa.text(
    "type NOT IN"
    " ('call_debited', 'call_released', 'call_dropped', 'call_settled', 'topoff_requested')"
)


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "entries_of_statement",
        "entries",
        ["account_id", "id_ms", "id_seq"],
        sqlite_where=_IS_OF_STATEMENT,
        postgresql_where=_IS_OF_STATEMENT,
    )
