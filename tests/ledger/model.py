"""The ledger's rules once more, in plain Python: what the scripts are compared with.

One account. Verbs mirror the ledger's; ids of top-offs come from outside, because the real ones
are random.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gatekeeper.domain.account import DEFAULT_TOPOFF, TopoffSettings
from gatekeeper.domain.call import (
    Bucket,
    CallEnd,
    CallState,
    Decision,
    Reason,
    Standing,
    Verdict,
    burning_bucket,
    decide,
)
from gatekeeper.domain.correction import CorrectionCause, Reversal, credits_due_back
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.subscription import SubscriptionStatus, SubscriptionTerms
from gatekeeper.domain.topoff import TOPOFF_MOVES, TopoffState, topoff_is_due

#: Two of the account's members.
PEOPLE = ("owner@example.com", "viewer@example.com")
OFFLINE = {
    Decision.ANSWER: Verdict(Decision.ANSWER, Reason.LEDGER_UNREACHABLE, Bucket.NONE),
    Decision.DROP: Verdict(Decision.DROP, Reason.LEDGER_UNREACHABLE, Bucket.NONE),
}


@dataclass
class ModelCall:
    verdict: Verdict
    state: CallState = CallState.OPEN
    debited: bool = False
    cycle_no: int = 1


@dataclass
class ModelTopoff:
    credits: int
    state: TopoffState = TopoffState.REQUESTED
    card: str = ""
    payment_intent: str = ""
    attempt: int = 1
    reversals: dict[str, Reversal] = field(default_factory=dict)
    taken: int = 0


@dataclass
class ModelCheckout:
    """A visit to Checkout; `paid_by` is its PaymentIntent, or its card once that is saved."""

    started_with: tuple[int, int] | None = None
    paid_by: str = ""


@dataclass
class Model:
    """One account and everything that hangs on it."""

    allotment: int
    now_ms: int
    allotment_size: int = 0
    granted: int = 0
    anchor_ms: int = 0
    interval: Interval = Interval.MONTHLY
    cycle_no: int = 1
    cycle_start_ms: int = 0
    cycle_end_ms: int | None = None
    withheld: int | None = None
    subscription: str = ""
    reading_owed: bool = False
    purchased: int = 0
    suspended: bool = False
    settings: TopoffSettings = DEFAULT_TOPOFF
    card: str = ""
    card_refused: bool = False
    card_at_ms: int = 0
    topoff_id: str = ""
    blocked_by: FailureReason | None = None
    incident_open: bool = False
    incident_id: str = ""
    dismissed: set[tuple[str, str]] = field(default_factory=set)
    retry_at_ms: int | None = None
    failures: int = 0
    low_told: bool = False
    drop_told: bool = False
    calls: dict[str, ModelCall] = field(default_factory=dict)
    topoffs: dict[str, ModelTopoff] = field(default_factory=dict)
    checkouts: dict[str, ModelCheckout] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    look_owed_at_ms: int | None = None
    wants_topoff: bool = False
    notices: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.allotment_size = self.granted = self.allotment
        self.anchor_ms = self.anchor_ms or self.now_ms
        period = period_of(self.anchor_ms, self.interval, self.now_ms)
        self.cycle_start_ms = period.start_ms
        self.cycle_end_ms = period.end_ms if self.allotment else None

    # Cycles

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

    def _grant(self, credits: int) -> None:
        self.allotment += credits
        if credits:
            self._forget_warnings()

    def set_cycle(self, allotment: int, anchor_ms: int, interval: Interval) -> bool:
        if self.subscription:
            return False
        self.turn_if_over()
        period = period_of(anchor_ms, interval, self.now_ms)
        if self.cycle_end_ms is None:
            self.cycle_start_ms, self.granted = period.start_ms, 0
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
        if terms.end_ms is None or ahead_ms > 0 or is_current:
            self.cycle_end_ms = terms.end_ms
        return True

    def unlink_subscription(self) -> bool:
        linked, self.subscription = bool(self.subscription), ""
        if linked:
            self.granted -= self.withheld or 0
            self.withheld, self.reading_owed = None, False
        return linked

    # What stands

    @property
    def balance(self) -> int:
        return self.allotment + self.purchased

    @property
    def overdraft_limit(self) -> int:
        limit = self.settings.overdraft_limit
        return self.settings.amount if limit is None else limit

    @property
    def standing(self) -> Standing:
        return Standing(
            allotment=self.allotment,
            purchased=self.purchased,
            suspended=self.suspended,
            topoff_enabled=self.settings.enabled,
            threshold=self.settings.threshold,
            topoff_amount=self.settings.amount,
            overdraft_limit=self.overdraft_limit,
            topoff_state=self.topoffs[self.topoff_id].state if self.topoff_id else None,
            blocked_by=self.blocked_by,
        )

    # What several verbs share

    def _look(self) -> None:
        if topoff_is_due(
            balance=self.balance,
            threshold=self.settings.threshold,
            enabled=self.settings.enabled,
            suspended=self.suspended,
            in_flight=bool(self.topoff_id),
            blocked=self.blocked_by is not None,
            retry_at_ms=self.retry_at_ms,
            now_ms=self.now_ms,
        ):
            self.wants_topoff = True

    def requested(self, topoff_id: str) -> None:
        """Take over the id that the ledger gave to the top-off that was wanted."""
        assert self.wants_topoff
        self.wants_topoff = False
        self.topoff_id = topoff_id
        self.topoffs[topoff_id] = ModelTopoff(credits=self.settings.amount)

    def _warn_if_low(self, before: int) -> None:
        crossed = before >= self.settings.threshold > self.balance
        if crossed and not self.settings.enabled and not self.low_told:
            self.low_told = True
            facts: dict[str, object] = {
                "balance": self.balance,
                "threshold": self.settings.threshold,
            }
            self.notices.append(("balance_low", facts))

    def _forget_warnings(self) -> None:
        self.low_told = self.low_told and self.balance < self.settings.threshold
        self.drop_told = self.drop_told and self.balance <= 0

    def _unblock(self) -> None:
        self.incident_open, self.blocked_by, self.retry_at_ms = False, None, None
        self.failures = 0

    def _debit(self) -> None:
        before = self.balance
        if burning_bucket(self.allotment) is Bucket.ALLOTMENT:
            self.allotment -= 1
        else:
            self.purchased -= 1
        self._look()
        if not self.wants_topoff:
            self._warn_if_low(before)

    def _give_back(self, call: ModelCall) -> None:
        if call.verdict.bucket is Bucket.PURCHASED:
            self.purchased += 1
        elif call.cycle_no == self.cycle_no and self.withheld is not None:
            self.withheld += 1
        elif call.cycle_no == self.cycle_no:
            self.allotment += 1

    # Calls

    def admit(self, sid: str) -> tuple[bool, Verdict]:
        ended_first = sid in self.calls and self.calls[sid].state is CallState.UNDECIDED
        if sid in self.calls and not ended_first:
            return True, self.calls[sid].verdict
        self.turn_if_over()
        verdict = decide(self.standing)
        call = self.calls[sid] = ModelCall(verdict, cycle_no=self.cycle_no)
        answered = verdict.decision is Decision.ANSWER
        if ended_first:
            call.state = CallState.KEPT if answered else CallState.CLOSED
        if answered:
            call.debited = True
            self._debit()
        elif verdict.reason is not Reason.ACCOUNT_SUSPENDED and not self.drop_told:
            self.drop_told = True
            facts: dict[str, object] = {"reason": verdict.reason, "balance": self.balance}
            self.notices.append(("calls_dropped", facts))
        return False, verdict

    def _debit_late(self, sid: str) -> None:
        bucket = burning_bucket(self.allotment)
        verdict = Verdict(Decision.ANSWER, Reason.LEDGER_UNREACHABLE, bucket)
        self.calls[sid] = ModelCall(verdict, CallState.KEPT, debited=True, cycle_no=self.cycle_no)
        self._debit()

    def settle(self, sid: str, end: CallEnd, debit_unknown: bool) -> str:
        self.turn_if_over()
        completed = end is CallEnd.COMPLETED
        call = self.calls.get(sid)
        if call is None:
            return self._settle_unknown(sid, completed, debit_unknown)
        if call.state is not CallState.OPEN:
            return "repeated"
        if completed and call.verdict.decision is Decision.ANSWER and not call.debited:
            self._debit_late(sid)
            return "debited"
        if not call.debited:
            call.state = CallState.CLOSED
            return "closed"
        if completed:
            call.state = CallState.KEPT
            return "kept"
        call.state = CallState.RELEASED
        self._give_back(call)
        return "released"

    def _settle_unknown(self, sid: str, completed: bool, debit_unknown: bool) -> str:
        if completed and debit_unknown:
            self._debit_late(sid)
            return "debited"
        state = CallState.UNDECIDED if completed else CallState.CLOSED
        self.calls[sid] = ModelCall(OFFLINE[Decision.DROP], state)
        return "closed"

    def admit_offline(self, sid: str, told: Decision) -> str:
        self.turn_if_over()
        call = self.calls.get(sid)
        if call is None:
            self.calls[sid] = ModelCall(OFFLINE[told])
            return "recorded"
        if call.verdict.decision is told:
            return "agreed"
        if told is Decision.ANSWER:
            return self._answered_after_all(sid, call)
        if not call.debited or call.state is CallState.RELEASED:
            return "agreed"
        self._give_back(call)
        state = CallState.OPEN if call.state is CallState.OPEN else CallState.RELEASED
        self.calls[sid] = ModelCall(OFFLINE[told], state)
        return "released"

    def _answered_after_all(self, sid: str, call: ModelCall) -> str:
        if call.state is CallState.UNDECIDED:
            self._debit_late(sid)
            return "debited"
        if call.state is not CallState.OPEN:
            return "agreed"
        self.calls[sid] = ModelCall(OFFLINE[Decision.ANSWER])
        return "answered"

    # Settings

    def set_topoff(self, settings: TopoffSettings) -> None:
        self.turn_if_over()
        self.settings = settings
        if not settings.enabled:
            self._unblock()
        self._forget_warnings()
        self._look()

    def set_card(self, card: str) -> None:
        self.turn_if_over()
        self._replace_card(card, self.now_ms)

    def _replace_card(self, card: str, at_ms: int) -> None:
        self.card, self.card_refused, self.card_at_ms = card, False, at_ms
        if card:
            self._unblock()
            self._look()

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
            self._unblock()
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
        lifted = self.suspended
        self.suspended = suspended
        if lifted:
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
        self.wants_topoff = True
        return "requested"

    def look(self) -> str:
        self.turn_if_over()
        if self.retry_at_ms is not None and self.retry_at_ms > self.now_ms:
            self.look_owed_at_ms = self.retry_at_ms
            return "early"
        self.look_owed_at_ms = None
        self._look()
        return "requested" if self.wants_topoff else "not_due"

    def begin_charge(self, topoff_id: str) -> str:
        topoff = self.topoffs[topoff_id]
        if topoff.payment_intent and topoff.state is TopoffState.CHARGING:
            return "charge"
        if not topoff.state.in_flight:
            return "finished"
        if not self.settings.enabled or self.suspended:
            topoff.state, self.topoff_id = TopoffState.CANCELED, ""
            return "canceled"
        if topoff.state is TopoffState.CHARGING:
            return "charge"
        if not self.card:
            return "no_payment_method"
        topoff.card = self.card
        if self.card_refused:
            return "card_refused"
        topoff.state = TopoffState.CHARGING
        return "charge"

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
        self._unblock()
        self._forget_warnings()
        facts: dict[str, object] = {"credits": topoff.credits, "balance": self.balance}
        self.notices.append(("topoff_succeeded", facts))
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
            self._unblock()

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
            "subscription": (self.subscription, self.reading_owed),
        }
