"""Changes made by hand and the ends of incidents are no lines of a statement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_IS_OF_STATEMENT = sa.text(
    "type NOT IN"
    " ('call_debited', 'call_released', 'call_dropped', 'call_settled', 'topoff_requested',"
    " 'account_changed', 'incident_resolved')"
)


def upgrade() -> None:
    """Create the index of a statement's lines anew, without them."""
    op.drop_index("entries_of_statement", "entries")
    op.create_index(
        "entries_of_statement",
        "entries",
        ["account_id", "id_ms", "id_seq"],
        sqlite_where=_IS_OF_STATEMENT,
        postgresql_where=_IS_OF_STATEMENT,
    )
