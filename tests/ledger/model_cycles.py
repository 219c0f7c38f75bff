"""The model's cycles (R4)."""

from __future__ import annotations

from gatekeeper.domain.change import Change
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.subscription import SubscriptionStatus, SubscriptionTerms
from tests.ledger.model_state import ModelState


class ModelCycles(ModelState):
    """Verbs that begin periods, or say what they grant."""

    def turn(self) -> bool:
        """Start the period that contains now, if the last one has ended."""
        if self.cycle_end_ms is None or self.now_ms < self.cycle_end_ms:
            return False
        period = period_of(self.anchor_ms, self.interval, self.now_ms)
        self._begin_period(self.allotment_size, max(period.start_ms, self.cycle_end_ms))
        self.cycle_end_ms = period.end_ms
        self.reading_owed = self.reading_owed or bool(self.subscription)
        return True

    def turn_if_over(self) -> None:
        self.turn()

    def _begin_period(self, allotment: int, start_ms: int) -> None:
        self.allotment = self.granted = allotment
        self.withheld = None
        self.cycle_no += 1
        self.cycle_start_ms = start_ms
        self._forget_warnings()
        was_capped, self.capped, self.spent_minor, self.cap_told = self.capped, False, 0, 0
        self.spent_start_ms = None
        if was_capped:
            self._look()

    def _grant(self, credits: int) -> None:
        self.allotment += credits
        if credits:
            self._forget_warnings()

    def set_cycle(self, allotment: int, anchor_ms: int, interval: Interval) -> bool:
        if self.subscription:
            return False
        self.turn_if_over()
        period = period_of(anchor_ms, interval, self.now_ms)
        before = (self.allotment_size, self.anchor_ms, self.interval)
        if self.cycle_end_ms is None or before != (allotment, anchor_ms, interval):
            self._tell(Change.CYCLE_SET)
        if self.cycle_end_ms is None:
            self._enter_period(period.start_ms)
            self.cycle_start_ms, self.granted = period.start_ms, 0
            self.cycle_no += 1
        rise = max(0, allotment - self.granted)
        self.anchor_ms, self.interval, self.allotment_size = anchor_ms, interval, allotment
        self.granted += rise
        self._grant(rise)
        self.cycle_end_ms = period.end_ms
        return True

    def set_subscription(self, terms: SubscriptionTerms, link: bool) -> bool:
        linking = link and not self.subscription
        if self.subscription != terms.id and not linking:
            self.reading_owed = True
            return False
        if linking:
            self._tell(Change.SUBSCRIPTION_LINKED)
        ahead_ms, before = terms.start_ms - self.cycle_start_ms, self.balance
        not_over = terms.end_ms is not None and terms.end_ms > self.cycle_start_ms
        is_current = ahead_ms == 0 or linking or (ahead_ms < 0 and not_over)
        self.subscription, self.reading_owed = terms.id, linking
        self.anchor_ms, self.interval = terms.anchor_ms, terms.interval
        self.allotment_size = terms.next_allotment
        if ahead_ms > 0:
            self._begin_period(terms.allotment, terms.start_ms)
            before = self.balance
        elif is_current:
            if self.cycle_end_ms is None:
                self.cycle_start_ms = terms.start_ms
            if terms.entitled:
                self._grant(self.withheld or 0)
                self.withheld = None
                if linking or terms.status is not SubscriptionStatus.PAST_DUE:
                    self._grant(max(0, terms.allotment - self.granted))
                    self.granted = max(self.granted, terms.allotment)
        if not terms.entitled:
            self.withheld = (self.withheld or 0) + self.allotment
            if self.allotment:
                self.allotment = 0
                self._warn_if_low(before)
        if terms.end_ms is None and self.settings.spending_cap_minor is not None:
            if ahead_ms > 0:
                self.cycle_end_ms = period_of(terms.anchor_ms, terms.interval, self.now_ms).end_ms
        elif terms.end_ms is None or ahead_ms > 0 or is_current:
            self.cycle_end_ms = terms.end_ms
        return True

    def unlink_subscription(self) -> bool:
        linked, self.subscription = bool(self.subscription), ""
        if linked:
            self._tell(Change.SUBSCRIPTION_UNLINKED)
            self.granted -= self.withheld or 0
            self.withheld, self.reading_owed = None, False
        return linked
