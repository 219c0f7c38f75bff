"""Billing cycles: the monthly allotment is set anew, once a period (R4)."""

from __future__ import annotations

from gatekeeper.domain.account import Account
from gatekeeper.domain.cycle import Interval, Period, period_of
from gatekeeper.ledger.store import Store


class Cycles:
    """The verbs on cycles. All raise UnknownAccount; redis.RedisError: outcome unknown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start_cycle(self, account_id: str, period: Period) -> bool:
        """Start a period; False when it, or a later one, had begun already."""
        reply = self._store.run("start_cycle", account_id, period.start_ms, period.end_ms)
        return bool(reply[0] == "started")

    def turn(self, account: Account) -> bool:
        """Start the period that contains now; False when it had begun already."""
        now_ms = self._store.clock()
        return self.start_cycle(account.id, period_of(account.anchor_ms, account.interval, now_ms))

    def set_cycle(
        self, account_id: str, *, allotment: int, anchor_ms: int, interval: Interval
    ) -> None:
        """Change the allotment, or when it is reset.

        A larger allotment counts at once, by the difference; a smaller one, and a new anchor, from
        the next period on.
        """
        period = period_of(anchor_ms, interval, self._store.clock())
        self._store.run(
            "set_cycle",
            account_id,
            allotment,
            anchor_ms,
            interval,
            period.start_ms,
            period.end_ms,
        )
