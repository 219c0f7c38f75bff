"""What a failure or a drop means to the customer, and what they can do.

The advice on failures is the product's promise ("Credits & Billing", "Failed Payments"), to the
letter. None of it names a decline code: why an issuer refused is between it and its customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.call import Reason
from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.incident import FailureReason


@dataclass(frozen=True, slots=True)
class Advice:
    """What something means, and what to do about it, with what to click between `**`."""

    meaning: str
    remedy: str


FAILURE_ADVICE: Final[dict[FailureReason, Advice]] = {
    FailureReason.NO_PAYMENT_METHOD: Advice(
        meaning="Auto top-off is enabled but no card is attached as the payment method for it.",
        remedy="Click **Set Up Auto Top-Off** in the banner to attach a card.",
    ),
    FailureReason.DECLINED: Advice(
        meaning="The most recent charge attempt was rejected by the issuer.",
        remedy=(
            "Click **Update Payment Method** in the banner to swap in a working card, then retry "
            "the charge from the billing page."
        ),
    ),
    FailureReason.INTERNAL_ERROR: Advice(
        meaning="The charge attempt hit a transient system error.",
        remedy="Retry the charge from the billing page; if it keeps failing, contact support.",
    ),
}

_BUY_CREDITS = (
    "click **Buy Credits** in the top navigation bar (visible while you're inside an AI "
    "Receptionist or AI Calling page)"
)

_DROP_ADVICE: Final[dict[Reason, Advice]] = {
    Reason.EMPTY_TOPOFF_OFF: Advice(
        meaning="Your balance is empty and auto top-off is off.",
        remedy=(
            f"To buy credits now, {_BUY_CREDITS}. To keep this from happening again, go to "
            "**AI Receptionist → Settings** and enable **Auto Top-Off**."
        ),
    ),
    Reason.EMPTY_TOPOFF_FAILED: Advice(
        meaning="Your balance is empty and the last auto top-off charge failed.",
        remedy=(
            "The warning banner in the portal shows why the charge failed and what to do. "
            f"To buy credits now, {_BUY_CREDITS}."
        ),
    ),
    Reason.EMPTY_TOPOFF_CAPPED: Advice(
        meaning=(
            "Your balance is empty, and auto top-offs have reached the spending cap that is set "
            "for them."
        ),
        remedy=(
            "To have credits added automatically before the next billing cycle, go to "
            "**AI Receptionist → Settings** and raise the spending cap, or remove it. "
            f"To buy credits now, {_BUY_CREDITS}."
        ),
    ),
    Reason.EMPTY_OVERDRAFT_USED: Advice(
        meaning=(
            "Your balance is empty. Calls were still answered while an auto top-off was on its "
            "way, but it has not completed yet, and no more calls can be answered ahead of it."
        ),
        remedy=(
            "Nothing, if the charge goes through: calls are answered again as soon as its credits "
            f"are added. To buy credits now, {_BUY_CREDITS}. If this lasts, contact support."
        ),
    ),
}


CLAWBACK_ADVICE: Final[dict[CorrectionCause, Advice]] = {
    cause: Advice(
        meaning=meaning,
        remedy=(
            "To have credits added automatically again, go to **AI Receptionist → Settings** and "
            f"enable **Auto Top-Off**. To buy credits now, {_BUY_CREDITS}."
        ),
    )
    for cause, meaning in {
        CorrectionCause.REFUND: "Money that you paid for credits was refunded.",
        CorrectionCause.DISPUTE: (
            "A payment for credits is in dispute, and the card's bank has taken the money back. "
            "If the bank decides that the payment stands, its credits are returned to you."
        ),
    }.items()
}


def drop_advice(reason: Reason) -> Advice:
    """Say why calls are dropped and what to do.

    Raises ValueError for a reason that no e-mail is sent for.
    """
    if reason not in _DROP_ADVICE:
        raise ValueError(f"no e-mail is sent for {reason.value}")
    return _DROP_ADVICE[reason]


def outlook(balance: int) -> str:
    """Say what becomes of calls at this balance, in credits, while no top-off can come."""
    if balance > 0:
        return (
            "When your balance reaches zero, incoming calls are dropped instead of being answered."
        )
    return "Your balance is empty, so incoming calls are dropped instead of being answered."
