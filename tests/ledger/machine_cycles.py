"""Cycles and subscriptions in random histories."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
)

from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.subscription import Plans, SubscriptionStatus, SubscriptionTerms
from gatekeeper.ledger.errors import (
    DrivenBySubscription,
    LedgerRefusal,
)
from tests.conftest import NOON_MS
from tests.ledger.machine import DAY_MS, Machine


def _refund(name: str, rank: int, amount_minor: int) -> Reversal:
    return Reversal(f"re_{name}", CorrectionCause.REFUND, rank, amount_minor, rank == 1)


def _dispute(rank: int, amount_minor: int) -> Reversal:
    return Reversal("du_a", CorrectionCause.DISPUTE, rank, amount_minor, rank % 2 == 1)


#: Of a payment of 125 to 200 cents; readings of one may come in any order, older ones last.
amounts_minor = st.sampled_from([1, 24, 25, 60, 200])
readings = st.lists(
    st.builds(_refund, st.sampled_from("abc"), st.integers(0, 2), amounts_minor)
    | st.builds(_dispute, st.integers(0, 3), amounts_minor),
    max_size=5,
)


class CycleRules(Machine):
    """The verbs on cycles."""

    @rule()
    def turn_by_the_clock(self) -> None:
        account = self.ledger.accounts.account(self.id)
        assert self.ledger.cycles.turn(account) == self.model.turn()

    @rule(
        allotment=st.integers(0, 6),
        anchor_days=st.integers(-400, 400),
        interval=st.sampled_from(Interval),
    )
    def set_cycle(self, allotment: int, anchor_days: int, interval: Interval) -> None:
        anchor_ms = NOON_MS + anchor_days * DAY_MS
        refusal = pytest.raises(DrivenBySubscription)
        with (
            contextlib.nullcontext()
            if self.model.set_cycle(allotment, anchor_ms, interval)
            else refusal
        ):
            self.ledger.cycles.set_cycle(
                self.id, allotment=allotment, anchor_ms=anchor_ms, interval=interval
            )

    @rule(
        status=st.sampled_from(SubscriptionStatus) | st.just(SubscriptionStatus.ACTIVE),
        start=st.sampled_from(["same", "earlier", "now"]),
        days=st.integers(-3, 40),
        anchor_days=st.integers(-400, 40),
        allotments=st.tuples(st.integers(0, 6), st.integers(0, 6)),
        link=st.booleans(),
        name=st.sampled_from(["sub_a", "sub_a", "sub_b"]),
    )
    def read_subscription(
        self,
        status: SubscriptionStatus,
        start: str,
        days: int,
        anchor_days: int,
        allotments: tuple[int, int],
        link: bool,
        name: str,
    ) -> None:
        entitled = Plans({}).entitles(status)
        old_ms, now_ms = self.model.cycle_start_ms, self.clock()
        start_ms = {"same": old_ms, "earlier": old_ms - DAY_MS, "now": now_ms}[start]
        terms = SubscriptionTerms(
            id=name,
            status=status,
            anchor_ms=NOON_MS + anchor_days * DAY_MS,
            interval=Interval.MONTHLY,
            start_ms=start_ms,
            end_ms=max(start_ms, now_ms + days * DAY_MS) if status.has_periods else None,
            allotment=allotments[0] if entitled else 0,
            next_allotment=allotments[1] if entitled else 0,
            entitled=entitled,
        )
        subscriptions, task = self.ledger.subscriptions, f"subscription:{self.id}"
        mark = self.ledger.owed.note_owed(self.id, task)
        assert not subscriptions.set_subscription(self.id, terms, mark=mark - 1, link=link)
        real = subscriptions.set_subscription(self.id, terms, mark=mark, link=link)
        assert real == self.model.set_subscription(terms, link)

    @rule()
    def unlink_subscription(self) -> None:
        driver = self.model.subscription or "sub_a"
        refusal = pytest.raises(LedgerRefusal)
        with contextlib.nullcontext() if self.model.unlink_subscription() else refusal:
            self.ledger.subscriptions.unlink_subscription(self.id, driver)
