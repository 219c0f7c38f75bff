"""The e-mails that a customer gets, in the words of the page where owners choose who gets which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.notice import NoticeKind


@dataclass(frozen=True, slots=True)
class NoticeWords:
    """What an e-mail is called, and when it is sent.

    `is_urgent` when something is broken that only people can mend.
    """

    name: str
    sent_when: str
    is_urgent: bool = False


#: Every kind there is, what must not be missed first.
NOTICE_WORDS: Final[dict[NoticeKind, NoticeWords]] = {
    NoticeKind.TOPOFF_FAILED: NoticeWords(
        "Failed charges",
        "An auto top-off could not be charged: why, and what to do.",
        is_urgent=True,
    ),
    NoticeKind.CALLS_DROPPED: NoticeWords(
        "Dropped calls", "Calls begin to be dropped because the balance is empty.", is_urgent=True
    ),
    NoticeKind.BALANCE_LOW: NoticeWords(
        "Low balance", "The balance falls below the threshold while auto top-off is off."
    ),
    NoticeKind.SPENDING_CAP_REACHED: NoticeWords(
        "Spending cap reached", "No more top-offs are charged in this billing cycle."
    ),
    NoticeKind.TOPOFF_SUCCEEDED: NoticeWords(
        "Top-offs", "Auto top-off charged the card and added credits."
    ),
    NoticeKind.PURCHASE_SUCCEEDED: NoticeWords("Purchases", "Credits were bought: the receipt."),
    NoticeKind.CREDITS_CLAWED_BACK: NoticeWords(
        "Refunds and disputes", "Money of a payment went back, and its credits with it."
    ),
}
