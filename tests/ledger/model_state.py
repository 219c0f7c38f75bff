"""What the model of one account is made of, and what several of its verbs share."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatekeeper.domain.account import DEFAULT_TOPOFF, TopoffSettings
from gatekeeper.domain.call import (
    Bucket,
    CallState,
    Decision,
    Reason,
    Standing,
    Verdict,
    burning_bucket,
)
from gatekeeper.domain.change import Change
from gatekeeper.domain.correction import Reversal
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.incident import FailureReason, Resolution
from gatekeeper.domain.topoff import TopoffState, topoff_is_due

#: Of a credit, where the account has no price of its own.
PRICE_MINOR = 25
CARD_EXPIRY = "12/2031"
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
    amount_minor: int = 0
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
class ModelState:
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
    card_expiry: str = ""
    topoff_id: str = ""
    blocked_by: FailureReason | None = None
    incident_open: bool = False
    incident_id: str = ""
    dismissed: set[tuple[str, str]] = field(default_factory=set)
    retry_at_ms: int | None = None
    failures: int = 0
    own_price_minor: int | None = None
    spent_minor: int = 0
    spent_start_ms: int | None = None
    capped: bool = False
    cap_told: int = 0
    times_capped: int = 0
    canceled: dict[str, str] = field(default_factory=dict)
    low_told: bool = False
    drop_told: bool = False
    calls: dict[str, ModelCall] = field(default_factory=dict)
    topoffs: dict[str, ModelTopoff] = field(default_factory=dict)
    checkouts: dict[str, ModelCheckout] = field(default_factory=dict)
    references: dict[str, int] = field(default_factory=dict)
    look_owed_at_ms: int | None = None
    wants_topoff: bool = False
    notices: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    #: Of the entries that tell of a change, or of an incident's end: cause and incident.
    told: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.allotment_size = self.granted = self.allotment
        self.anchor_ms = self.anchor_ms or self.now_ms
        period = period_of(self.anchor_ms, self.interval, self.now_ms)
        self.cycle_start_ms = period.start_ms
        self.cycle_end_ms = period.end_ms if self.allotment else None

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
            topoff_capped=self.capped,
        )

    # What several verbs share

    def _look(self) -> None:
        if topoff_is_due(
            balance=self.balance,
            threshold=self.settings.threshold,
            enabled=self.settings.enabled,
            suspended=self.suspended,
            capped=self.capped,
            in_flight=bool(self.topoff_id),
            blocked=self.blocked_by is not None,
            retry_at_ms=self.retry_at_ms,
            now_ms=self.now_ms,
        ):
            self.wants_topoff = True

    @property
    def price_minor(self) -> int:
        return self._price_or(PRICE_MINOR)

    def _price_or(self, default_minor: int) -> int:
        return default_minor if self.own_price_minor is None else self.own_price_minor

    def _look_at_cap(self, default_minor: int) -> None:
        price_minor = self._price_or(default_minor)
        was_capped, cap_minor = self.capped, self.settings.spending_cap_minor
        self.capped = self.settings.enabled and self.settings.would_pass_cap(
            self.spent_minor, price_minor
        )
        if cap_minor is None or not self.capped or was_capped:
            return
        self.times_capped += 1
        if cap_minor > self.cap_told:
            self.cap_told = cap_minor
            facts: dict[str, object] = {
                "cap_minor": cap_minor,
                "spent_minor": self.spent_minor,
                "amount_minor": price_minor * self.settings.amount,
                "resumes_at_ms": self.cycle_end_ms,
                "balance": self.balance,
            }
            self.notices.append(("spending_cap_reached", facts))

    def _count_spending_from(self, start_ms: int) -> None:
        since_ms = self.cycle_start_ms if self.spent_start_ms is None else self.spent_start_ms
        if start_ms > since_ms:
            self.spent_start_ms, self.spent_minor, self.cap_told = start_ms, 0, 0

    def _enter_period(self, start_ms: int) -> None:
        self._count_spending_from(start_ms)
        self.spent_start_ms = None
        self.cycle_start_ms = max(self.cycle_start_ms, start_ms)

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

    def _tell(self, change: Change) -> None:
        self.told.append((change, ""))

    def _unblock(self, resolution: Resolution) -> None:
        if self.incident_open:
            self.told.append((resolution, self.incident_id))
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
