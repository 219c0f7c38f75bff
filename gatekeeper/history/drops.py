"""Calls that were dropped, counted by their reasons.

What this costs grows with the calls dropped for them in the time that is asked about, and with
nothing else. All raise sqlalchemy.exc.SQLAlchemyError.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Select, func, select, union_all

from gatekeeper.domain.call import Direction, Reason
from gatekeeper.history.call import Outcome
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
    """Count the calls of all accounts that began at a time or later and were dropped."""
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


def count_drops(
    engine: Engine, account_id: str, reasons: Collection[Reason], since_ms: int, until_ms: int
) -> int:
    """Count an account's calls that began within a span and were dropped for some reasons."""
    # One look-up each, as the index has them.
    counts = union_all(
        *(
            select(func.count().label("count")).where(
                calls.c.account_id == account_id,
                calls.c.direction == direction,
                calls.c.outcome == Outcome.DROPPED,
                calls.c.reason == reason,
                calls.c.started_at_ms >= since_ms,
                calls.c.started_at_ms < until_ms,
            )
            for direction in Direction
            for reason in reasons
        )
    )
    with reading(engine) as connection:
        return sum(connection.execute(counts).scalars())


def _counted(column: ColumnElement[str]) -> Select[str, int]:
    count = func.count()
    return select(column, count).group_by(column).order_by(count.desc(), column)
