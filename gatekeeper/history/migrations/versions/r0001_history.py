"""The first tables: entries, calls, meter readings, positions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables."""
    _create_entries()
    _create_calls()
    op.create_table(
        "meter_readings",
        sa.Column("account_id", _KEY, primary_key=True),
        sa.Column("number", _KEY, primary_key=True),
        sa.Column("quarter", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("conversation", sa.BigInteger, nullable=False),
        sa.Column("hung_up", sa.BigInteger, nullable=False),
        sa.Column("dropped", sa.BigInteger, nullable=False),
        sa.Column("not_answered", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "positions",
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id_ms", sa.BigInteger, nullable=False),
        sa.Column("id_seq", sa.BigInteger, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
    )


def _create_entries() -> None:
    op.create_table(
        "entries",
        sa.Column("account_id", _KEY, primary_key=True),
        sa.Column("id_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("allotment_delta", sa.BigInteger, nullable=False),
        sa.Column("purchased_delta", sa.BigInteger, nullable=False),
        sa.Column("allotment", sa.BigInteger, nullable=False),
        sa.Column("purchased", sa.BigInteger, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("entries_by_time", "entries", ["account_id", "at_ms"])


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("call_sid", _KEY, primary_key=True),
        sa.Column("account_id", _KEY, primary_key=True),
        sa.Column("number", _KEY, nullable=False),
        sa.Column("outcome", _KEY, nullable=False),
        sa.Column("reason", _KEY, nullable=False),
        sa.Column("started_at_ms", sa.BigInteger, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger),
        sa.Column("end", sa.Text),
        sa.Column("duration_s", sa.Integer),
        sa.Column("debits", sa.Integer, nullable=False),
        sa.Column("dropped", sa.Boolean, nullable=False),
        sa.Column("released", sa.Boolean, nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
    )
    by_start = ["account_id", "started_at_ms", "call_sid"]
    by_outcome = ["account_id", "outcome", "reason", "started_at_ms", "call_sid"]
    by_number = ["account_id", "number", "outcome", "reason", "started_at_ms", "call_sid"]
    op.create_index("calls_by_start", "calls", by_start)
    op.create_index("calls_by_outcome", "calls", by_outcome)
    op.create_index("calls_by_number", "calls", by_number)
