"""Why a top-off failed, as the customer is told (R8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class FailureReason(StrEnum):
    """The three reasons a customer can see. The labels are promised to the letter."""

    NO_PAYMENT_METHOD = "no_payment_method"
    DECLINED = "declined"
    INTERNAL_ERROR = "internal_error"

    @property
    def label(self) -> str:
        """The promised wording."""
        return _LABELS[self]


_LABELS = {
    FailureReason.NO_PAYMENT_METHOD: "No payment method set for automatic top-offs",
    FailureReason.DECLINED: "Your card was declined",
    FailureReason.INTERNAL_ERROR: "An internal error occurred",
}

#: After an internal error an automatic attempt is allowed again after these, then no more (R8).
INTERNAL_ERROR_COOL_DOWNS_S = (1 * 3600, 6 * 3600, 24 * 3600)


class Resolution(StrEnum):
    """How an incident ended."""

    CARD_ATTACHED = "card_attached"
    TOPOFF_SUCCEEDED = "topoff_succeeded"
    SWITCHED_OFF = "switched_off"
    PURCHASE_SUCCEEDED = "purchase_succeeded"


#: How an incident ended, as a sentence about it goes on.
RESOLUTION_WORDS: Final[dict[str, str]] = {
    Resolution.CARD_ATTACHED: "resolved: a card was attached",
    Resolution.TOPOFF_SUCCEEDED: "resolved: a top-off succeeded",
    Resolution.SWITCHED_OFF: "resolved: auto top-off was switched off",
    Resolution.PURCHASE_SUCCEEDED: "resolved: a purchase with the saved card succeeded",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """A failed top-off as the customer sees it."""

    id: str
    account_id: str
    topoff_id: str
    reason: FailureReason
    credits: int
    amount_minor: int | None
    currency: str
    decline_code: str
    at_ms: int
    resolved_at_ms: int | None
    resolution: Resolution | None
