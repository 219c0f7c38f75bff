"""Calls that were dropped, counted over all accounts.

What this costs grows with the calls dropped in the time that is asked about, and with nothing
else. All raise sqlalchemy.exc.SQLAlchemyError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Select, func, select

from gatekeeper.domain.call import Reason
from gatekeeper.history.engine import reading
from gatekeeper.history.tables import IS_DROPPED, calls


@dataclass(frozen=True, slots=True)
class Drops:
    """How many calls were dropped for each reason, and of which accounts most; most first."""

    by_reason: Sequence[tuple[Reason, int]]
    by_account: Sequence[tuple[str, int]]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(count for _, count in self.by_reason)


def drops_since(engine: Engine, since_ms: int, *, accounts_limit: int = 20) -> Drops:
    """Count the calls that began at a time or later and were dropped."""
    found = select(calls.c.reason, calls.c.account_id)
    found = found.where(IS_DROPPED, calls.c.started_at_ms >= since_ms)
    # First found and then counted: without statistics SQLite would rather read all calls in the
    # order in which they are counted.
    dropped = found.cte("dropped").prefix_with("MATERIALIZED")
    with reading(engine) as connection:
        by_reason = connection.execute(_counted(dropped.c.reason))
        by_account = connection.execute(_counted(dropped.c.account_id).limit(accounts_limit))
        return Drops(
            [(Reason(text), count) for text, count in by_reason],
            [(account_id, count) for account_id, count in by_account],
        )


def _counted(column: ColumnElement[str]) -> Select[str, int]:
    count = func.count()
    return select(column, count).group_by(column).order_by(count.desc(), column)
