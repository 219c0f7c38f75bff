"""The accounts there are, to be searched and sorted; an index of calls that were dropped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_MAY_HAVE_INCIDENT = sa.text("incident_id <> ''")
_IS_DROPPED = sa.text("outcome = 'dropped'")


def upgrade() -> None:
    """Create table and index. The relay lists the accounts that there are."""
    op.create_table(
        "accounts",
        sa.Column("account_id", _KEY, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_key", _KEY, nullable=False),
        sa.Column("email", _KEY, nullable=False),
        sa.Column("opened_at_ms", sa.BigInteger, nullable=False),
        sa.Column("last_call_at_ms", sa.BigInteger, nullable=False),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.Column("incident_id", sa.Text, nullable=False),
        sa.Column("incident_at_ms", sa.BigInteger, nullable=False),
        sa.Column("suspended", sa.Boolean, nullable=False),
        sa.Column("places", sa.Text, nullable=False),
    )
    op.create_index("accounts_by_name", "accounts", ["name_key", "account_id", "email"])
    for index, column in (
        ("accounts_by_last_call", "last_call_at_ms"),
        ("accounts_by_balance", "balance"),
        ("accounts_by_opening", "opened_at_ms"),
    ):
        op.create_index(index, "accounts", [column, "account_id"])
    op.create_index(
        "accounts_with_incident",
        "accounts",
        ["incident_at_ms", "account_id"],
        sqlite_where=_MAY_HAVE_INCIDENT,
        postgresql_where=_MAY_HAVE_INCIDENT,
    )
    op.create_index(
        "calls_dropped",
        "calls",
        ["started_at_ms", "reason", "account_id"],
        sqlite_where=_IS_DROPPED,
        postgresql_where=_IS_DROPPED,
    )
