"""What a customer is told by e-mail (R11). A notice is frozen when its cause happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gatekeeper.domain.call import Reason
from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.incident import FailureReason


class NoticeKind(StrEnum):
    """The e-mails there are; each is one template folder."""

    TOPOFF_SUCCEEDED = "topoff_succeeded"
    TOPOFF_FAILED = "topoff_failed"
    CALLS_DROPPED = "calls_dropped"
    BALANCE_LOW = "balance_low"
    CREDITS_CLAWED_BACK = "credits_clawed_back"
    PURCHASE_SUCCEEDED = "purchase_succeeded"
    SPENDING_CAP_REACHED = "spending_cap_reached"


@dataclass(frozen=True, slots=True)
class TopoffSucceeded:
    """A card was charged and credits were added. `balance` is the one after."""

    id: str
    account_id: str
    at_ms: int
    credits: int
    amount_minor: int
    currency: str
    card_last4: str  # "" when Stripe did not say
    balance: int


@dataclass(frozen=True, slots=True)
class TopoffFailed:
    """An incident was opened. `amount_minor` is None when no price was fixed yet."""

    id: str
    account_id: str
    at_ms: int
    reason: FailureReason
    credits: int
    amount_minor: int | None
    currency: str
    balance: int


@dataclass(frozen=True, slots=True)
class CallsDropped:
    """Calls started being dropped."""

    id: str
    account_id: str
    at_ms: int
    reason: Reason
    balance: int


@dataclass(frozen=True, slots=True)
class BalanceLow:
    """The balance fell below the threshold while auto top-off was off."""

    id: str
    account_id: str
    at_ms: int
    balance: int
    threshold: int


@dataclass(frozen=True, slots=True)
class CreditsClawedBack:
    """Money of a payment went back, and its credits with it.

    `credits` is 0 where that was worth less than one. `balance` is the one after. `switched_off`
    tells whether auto top-off was on until then.
    """

    id: str
    account_id: str
    at_ms: int
    cause: CorrectionCause
    credits: int
    amount_minor: int
    currency: str
    balance: int
    switched_off: bool


@dataclass(frozen=True, slots=True)
class PurchaseSucceeded:
    """Credits were bought. `balance` is the one after.

    `card_last4` and `receipt_url`, where Stripe shows its receipt, are "" when it did not say.
    """

    id: str
    account_id: str
    at_ms: int
    credits: int
    amount_minor: int
    currency: str
    card_last4: str
    receipt_url: str
    balance: int


@dataclass(frozen=True, slots=True)
class SpendingCapReached:
    """One more top-off, of `amount_minor`, would pass the spending cap of this billing cycle.

    `spent_minor` is what top-offs have charged in it. They go on at `resumes_at_ms`.
    """

    id: str
    account_id: str
    at_ms: int
    cap_minor: int
    spent_minor: int
    amount_minor: int
    currency: str
    resumes_at_ms: int
    balance: int


Notice = (
    TopoffSucceeded
    | TopoffFailed
    | CallsDropped
    | BalanceLow
    | CreditsClawedBack
    | PurchaseSucceeded
    | SpendingCapReached
)

KIND_OF_NOTICE: dict[type[Notice], NoticeKind] = {
    TopoffSucceeded: NoticeKind.TOPOFF_SUCCEEDED,
    TopoffFailed: NoticeKind.TOPOFF_FAILED,
    CallsDropped: NoticeKind.CALLS_DROPPED,
    BalanceLow: NoticeKind.BALANCE_LOW,
    CreditsClawedBack: NoticeKind.CREDITS_CLAWED_BACK,
    PurchaseSucceeded: NoticeKind.PURCHASE_SUCCEEDED,
    SpendingCapReached: NoticeKind.SPENDING_CAP_REACHED,
}
