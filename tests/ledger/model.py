"""The ledger's rules once more, in plain Python: what the scripts are compared with.

One account. Verbs mirror the ledger's; ids of top-offs come from outside, because the real ones
are random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.change import Change
from gatekeeper.domain.correction import CorrectionCause, Reversal, credits_due_back
from gatekeeper.domain.cycle import period_of
from gatekeeper.domain.incident import FailureReason, Resolution
from gatekeeper.domain.topoff import TOPOFF_MOVES, TopoffState, passes_cap
from tests.ledger.model_calls import ModelCalls
from tests.ledger.model_state import (
    CARD_EXPIRY,
    PEOPLE,
    PRICE_MINOR,
    ModelCheckout,
    ModelTopoff,
)

__all__ = ["PEOPLE", "Model"]


class Model(ModelCalls):
    """One account and everything that hangs on it."""

    # Settings

    def set_topoff(self, settings: TopoffSettings) -> None:
        self.turn_if_over()
        if settings != self.settings:
            self._tell(Change.TOPOFF_SET)
        self.settings = settings
        if settings.spending_cap_minor is not None and self.cycle_end_ms is None:
            period = period_of(self.anchor_ms, self.interval, self.now_ms)
            self._enter_period(period.start_ms)
            self.cycle_end_ms = period.end_ms
        if not settings.enabled:
            self._unblock(Resolution.SWITCHED_OFF)
        self._look_at_cap(PRICE_MINOR)
        self._forget_warnings()
        self._look()

    def set_price(self, price_minor: int | None) -> None:
        self.turn_if_over()
        is_other, was_paused = price_minor != self.own_price_minor, self.suspended or self.capped
        self.own_price_minor = price_minor
        if is_other:
            self._tell(Change.DESCRIBED)
            self._look_at_cap(PRICE_MINOR)
        if was_paused:
            self._look()

    def set_card(self, card: str) -> None:
        self.turn_if_over()
        self._replace_card(card, self.now_ms)

    def _replace_card(self, card: str, at_ms: int) -> None:
        if card and (card, CARD_EXPIRY) != (self.card, self.card_expiry):
            self._tell(Change.CARD_SAVED)
        elif self.card and not card:
            self._tell(Change.CARD_REMOVED)
        self.card, self.card_refused, self.card_at_ms = card, False, at_ms
        self.card_expiry = CARD_EXPIRY
        if card:
            self._unblock(Resolution.CARD_ATTACHED)
            self._look()

    def follow_card(self, card: str, expiry: str) -> str:
        """Take in what Stripe says of a card; without an expiry it is gone."""
        if card != self.card:
            return "another"
        if not expiry:
            self.card, self.card_refused = "", False
            self._tell(Change.CARD_REMOVED)
            return "removed"
        if expiry == self.card_expiry:
            return "same"
        self.card_expiry, self.card_refused = expiry, False
        self._tell(Change.CARD_UPDATED)
        return "updated"

    # Visits to Checkout

    def open_checkout(self, checkout_id: str, asked: tuple[int, int]) -> bool:
        visit = self.checkouts.setdefault(checkout_id, ModelCheckout())
        opened = visit.started_with is None and not visit.paid_by
        if opened:
            visit.started_with = asked
        return opened

    def credit_purchase(
        self, checkout_id: str, paid: tuple[int, int], payment_intent: str, card: str, at_ms: int
    ) -> str:
        """Credit a purchase; its card was saved `at_ms`, 0 is not at all."""
        self.turn_if_over()
        visit = self.checkouts.setdefault(checkout_id, ModelCheckout())
        if visit.paid_by:
            return "repeated" if visit.paid_by == payment_intent else "mismatch"
        if visit.started_with not in (None, paid):
            return "mismatch"
        visit.paid_by = payment_intent
        self.purchased += paid[0]
        self._forget_warnings()
        facts: dict[str, object] = {"credits": paid[0], "balance": self.balance}
        self.notices.append(("purchase_succeeded", facts))
        if card == self.card:
            self.card_refused = False
            self._unblock(Resolution.PURCHASE_SUCCEEDED)
        elif at_ms and self.card_at_ms <= at_ms:
            self._replace_card(card, at_ms)
        return "credited"

    def save_card(self, checkout_id: str, card: str, at_ms: int) -> str:
        self.turn_if_over()
        visit = self.checkouts.setdefault(checkout_id, ModelCheckout())
        if visit.paid_by:
            return "repeated"
        visit.paid_by = card
        if self.card_at_ms > at_ms:
            return "superseded"
        self._replace_card(card, at_ms)
        return "attached"

    # More settings

    def set_suspended(self, suspended: bool) -> None:
        self.turn_if_over()
        was_paused = self.suspended or self.capped
        if suspended != self.suspended:
            self._tell(Change.SUSPENDED if suspended else Change.UNSUSPENDED)
        self.suspended = suspended
        if was_paused:
            self._look()

    def correct(self, credits: int, reference: str) -> str:
        self.turn_if_over()
        if reference in self.references:
            return "repeated" if self.references[reference] == credits else "conflict"
        if credits < 0 and -credits > self.purchased:
            return "too_much"
        before = self.balance
        self.references[reference] = credits
        self.purchased += credits
        if credits > 0:
            self._forget_warnings()
            return "added"
        self._warn_if_low(before)
        return "removed"

    # Top-offs

    def dismiss(self, email: str) -> bool:
        if self.incident_open:
            self.dismissed.add((self.incident_id, email))
        return self.incident_open

    def sees_incident(self, email: str) -> bool:
        return self.incident_open and (self.incident_id, email) not in self.dismissed

    def retry(self, incident_id: str) -> str:
        self.turn_if_over()
        if self.topoff_id:
            return "in_flight"
        if not self.incident_open or incident_id != self.incident_id:
            return "no_such_incident"
        if self.capped:
            return "capped"
        self.wants_topoff = True
        return "requested"

    def look(self) -> str:
        self.turn_if_over()
        if self.retry_at_ms is not None and self.retry_at_ms > self.now_ms:
            self.look_owed_at_ms = self.retry_at_ms
            return "early"
        self.look_owed_at_ms = None
        wanted_before = self.wants_topoff  # as by the turn of the period
        self._look()
        return "requested" if self.wants_topoff and not wanted_before else "not_due"

    def begin_charge(self, topoff_id: str) -> str:
        self.turn_if_over()
        topoff = self.topoffs[topoff_id]
        if not topoff.state.in_flight:
            return "finished"
        if topoff.payment_intent:
            return "charge"
        is_charging = topoff.state is TopoffState.CHARGING
        amount_minor = topoff.amount_minor if is_charging else topoff.credits * self.price_minor
        if cause := self._cancels(amount_minor):
            self._cancel(topoff_id, cause)
            return "canceled"
        return "charge" if is_charging else self._begin(topoff, amount_minor)

    def _cancel(self, topoff_id: str, cause: str) -> None:
        self.topoffs[topoff_id].state, self.topoff_id = TopoffState.CANCELED, ""
        self.canceled[topoff_id] = cause
        if cause == "spending_cap":
            self._look_at_cap(PRICE_MINOR)
            self._look()

    def _begin(self, topoff: ModelTopoff, amount_minor: int) -> str:
        topoff.amount_minor = amount_minor
        if not self.card:
            return "no_payment_method"
        topoff.card = self.card
        if self.card_refused:
            return "card_refused"
        topoff.state = TopoffState.CHARGING
        return "charge"

    def _cancels(self, amount_minor: int) -> str:
        if not self.settings.enabled:
            return "switched_off"
        if self.suspended:
            return "suspended"
        is_past = passes_cap(
            cap_minor=self.settings.spending_cap_minor,
            spent_minor=self.spent_minor,
            amount_minor=amount_minor,
        )
        return "spending_cap" if is_past else ""

    def settle_topoff(self, topoff_id: str, payment_intent: str) -> str:
        self.turn_if_over()
        topoff = self.topoffs[topoff_id]
        if not topoff.payment_intent or payment_intent != topoff.payment_intent:
            return "mismatch"
        if topoff.state is TopoffState.SUCCEEDED:
            return "repeated"
        if TopoffState.SUCCEEDED not in TOPOFF_MOVES[topoff.state]:
            return "bad_move"
        topoff.state = TopoffState.SUCCEEDED
        self.purchased += topoff.credits
        if self.topoff_id == topoff_id:
            self.topoff_id = ""
        self._unblock(Resolution.TOPOFF_SUCCEEDED)
        self._forget_warnings()
        facts: dict[str, object] = {"credits": topoff.credits, "balance": self.balance}
        self.notices.append(("topoff_succeeded", facts))
        if self.cycle_end_ms is None:
            period = period_of(self.anchor_ms, self.interval, self.now_ms)
            self._count_spending_from(period.start_ms)
        self.spent_minor += topoff.amount_minor
        self._look_at_cap(PRICE_MINOR)
        return "settled"

    def correct_payment(
        self, topoff_id: str, amount_minor: int, told: Sequence[Reversal]
    ) -> tuple[str, int]:
        self.turn_if_over()
        topoff = self.topoffs[topoff_id]
        if topoff.state is not TopoffState.SUCCEEDED:
            return "not_credited", 0
        before, known = self.purchased, topoff.reversals
        held_before = dict(known)
        gone: list[tuple[Reversal, int, int]] = []  # with what went, in minor units and credits
        for each in told:
            held = known.get(each.id, replace(each, rank=0, is_out=False))
            if each.rank <= held.rank:
                continue
            known[each.id] = each
            count = credits_due_back(topoff.credits, amount_minor, known.values()) - topoff.taken
            topoff.taken += count
            self.purchased -= count
            went_minor = each.is_out * each.amount_minor - held.is_out * held.amount_minor
            if went_minor > 0:
                gone.append((each, went_minor, count))
        if known == held_before:
            return "unchanged", 0
        self._forget_warnings()
        if not gone:
            return "returned" if self.purchased > before else "unchanged", self.purchased - before
        self._claw_back(gone)
        return "clawed_back", self.purchased - before

    def _claw_back(self, gone: list[tuple[Reversal, int, int]]) -> None:
        facts: dict[str, object] = {
            "cause": max((each.cause for each, _, _ in gone), key=list(CorrectionCause).index),
            "credits": sum(count for _, _, count in gone),
            "amount_minor": sum(minor for _, minor, _ in gone),
            "currency": "usd",
            "balance": self.balance,
            "switched_off": self.settings.enabled,
        }
        self.notices.append(("credits_clawed_back", facts))
        if self.settings.enabled:
            self.settings = replace(self.settings, enabled=False)
            self._tell(Change.TOPOFF_SET)
            self.capped = False
            self._unblock(Resolution.SWITCHED_OFF)

    def fail_topoff(
        self, topoff_id: str, reason: FailureReason, refused: bool, cool_downs_s: tuple[int, ...]
    ) -> str:
        self.turn_if_over()
        topoff = self.topoffs[topoff_id]
        if not topoff.state.in_flight:
            return "repeated"
        topoff.state, self.topoff_id = TopoffState.FAILED, ""
        if not self.settings.enabled:
            return "failed_quietly"
        if self.card and self.card != topoff.card:
            self._look()
            return "failed_quietly"
        self.card_refused = self.card_refused or (bool(self.card) and refused)
        self.incident_open, self.incident_id, self.blocked_by = True, topoff_id, reason
        self.drop_told = False
        self.failures += 1
        if self.failures <= len(cool_downs_s):
            self.retry_at_ms = self.now_ms + cool_downs_s[self.failures - 1] * 1000
            self.look_owed_at_ms = self.retry_at_ms
        else:
            self.retry_at_ms = None
        facts: dict[str, object] = {"reason": reason, "balance": self.balance}
        self.notices.append(("topoff_failed", facts))
        return "failed"

    def snapshot(self) -> dict[str, object]:
        """What must agree with the ledger after every step."""
        return {
            "allotment": self.allotment,
            "purchased": self.purchased,
            "standing": replace(self.standing),
            "topoff_id": self.topoff_id,
            "card": (self.card, self.card_refused),
            "paid_visits": {visit for visit, known in self.checkouts.items() if known.paid_by},
            "incident": self.incident_id if self.incident_open else "",
            "sees_incident": [self.sees_incident(email) for email in PEOPLE],
            "retry_at_ms": self.retry_at_ms,
            "calls": {
                sid: (call.verdict, call.state, call.debited) for sid, call in self.calls.items()
            },
            "topoffs": {topoff_id: topoff.state for topoff_id, topoff in self.topoffs.items()},
            "taken_back": {topoff_id: topoff.taken for topoff_id, topoff in self.topoffs.items()},
            "charges_owed": {
                topoff_id for topoff_id, topoff in self.topoffs.items() if topoff.state.in_flight
            },
            "look_owed_at_ms": self.look_owed_at_ms,
            "cycle": (self.cycle_no, self.cycle_start_ms, self.cycle_end_ms, self.cycle_end_ms),
            "granted": (self.granted, self.withheld or 0),
            "spending": (self.spent_minor, self.spent_start_ms, self.times_capped),
            "canceled": self.canceled,
            "subscription": (self.subscription, self.reading_owed),
        }
