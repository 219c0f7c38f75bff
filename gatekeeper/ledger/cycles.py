"""Billing cycles: the monthly allotment is set anew, once a period (R4)."""

from __future__ import annotations

from gatekeeper.domain.account import Account
from gatekeeper.domain.change import write_detail
from gatekeeper.domain.cycle import Interval, Period, period_of
from gatekeeper.ledger.errors import DrivenBySubscription
from gatekeeper.ledger.store import Store


class Cycles:
    """The verbs on cycles. All raise UnknownAccount; redis.RedisError: outcome unknown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start_cycle(self, account_id: str, period: Period) -> bool:
        """Start a period once the one before is over; False when it was not, or is no more."""
        reply = self._store.run("start_cycle", account_id, period.start_ms, period.end_ms)
        return bool(reply[0] == "started")

    def turn(self, account: Account) -> bool:
        """Start the period that contains now, once the one before is over; False when it is not."""
        now_ms = self._store.clock()
        return self.start_cycle(account.id, period_of(account.anchor_ms, account.interval, now_ms))

    def set_cycle(
        self,
        account_id: str,
        *,
        allotment: int,
        anchor_ms: int,
        interval: Interval,
        by: str = "",
    ) -> None:
        """Change the allotment, or when it is reset. `by` is who does.

        A larger allotment counts at once, by the difference; a smaller one, and a new anchor, from
        the next period on. Raises DrivenBySubscription.
        """
        period = period_of(anchor_ms, interval, self._store.clock())
        reply = self._store.run(
            "set_cycle",
            account_id,
            allotment,
            anchor_ms,
            interval,
            period.start_ms,
            period.end_ms,
            write_detail(by, allotment=allotment, anchor_ms=anchor_ms, interval=interval),
        )
        if reply[0] == "driven":
            raise DrivenBySubscription(account_id, reply[1])
