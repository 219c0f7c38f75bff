"""The billing cycles of an account that one can look at, and how far the current one has come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from gatekeeper.domain.account import Account
from gatekeeper.domain.cycle import period_of
from gatekeeper.domain.phrasing import local_moment

_CYCLES_MAX: Final = 36


@dataclass(frozen=True, slots=True)
class Cycle:
    """One period: from `start_ms`, included, to `end_ms`."""

    start_ms: int
    end_ms: int

    @property
    def key(self) -> str:
        """What stands for it in addresses. Two may begin on one day, where the anchor was moved."""
        return str(self.start_ms)

    def days_left(self, now_ms: int, timezone: str) -> int:
        """Count the days of a zone's calendar until it ends: 0 is today."""
        return (
            local_moment(self.end_ms, timezone).date() - local_moment(now_ms, timezone).date()
        ).days


def cycles_of(account: Account, now_ms: int) -> list[Cycle]:
    """List the account's cycles since it was opened, the current one first; not all of very many.

    An account without an allotment has none that anything hangs on; months from its anchor stand
    for them.
    """
    return list(islice(_cycles(account, now_ms), _CYCLES_MAX))


def _cycles(account: Account, now_ms: int) -> Iterator[Cycle]:
    yield (cycle := _current(account, now_ms))
    while cycle.start_ms > account.created_at_ms:
        before = period_of(account.anchor_ms, account.interval, cycle.start_ms - 1)
        yield (cycle := Cycle(before.start_ms, cycle.start_ms))


def _current(account: Account, now_ms: int) -> Cycle:
    # The ledger turns a cycle with the first call, or by the clock: it may still hold the last one.
    if account.cycle_end_ms is not None and now_ms < account.cycle_end_ms:
        return Cycle(account.cycle_start_ms, account.cycle_end_ms)
    period = period_of(account.anchor_ms, account.interval, now_ms)
    return Cycle(period.start_ms, period.end_ms)
