"""One notice of every kind and reason, and how to read the e-mails made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

from gatekeeper.domain.call import Reason
from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.notice import (
    BalanceLow,
    CallsDropped,
    CreditsClawedBack,
    Notice,
    PurchaseSucceeded,
    SpendingCapReached,
    TopoffFailed,
    TopoffSucceeded,
)
from gatekeeper.mail.compose import Recipient, SenderIdentity

AT_MS = 1_772_802_345_678  # 2026-03-06 13:05:45 UTC
OWNER = Recipient("Rossi Plumbing", "owner@rossi.example", "Europe/Rome")
SENDER = SenderIdentity("no-reply@mail.example", "AI Receptionist")
LINKED = replace(SENDER, support_email="help@mail.example", portal_url="https://portal.example")

SUCCEEDED = TopoffSucceeded(
    id="topoff_succeeded:to_1",
    account_id="acc_1",
    at_ms=AT_MS,
    credits=200,
    amount_minor=4200,
    currency="usd",
    card_last4="4242",
    balance=243,
)
FAILED = TopoffFailed(
    id="topoff_failed:in_1",
    account_id="acc_1",
    at_ms=AT_MS,
    reason=FailureReason.DECLINED,
    credits=200,
    amount_minor=4200,
    currency="usd",
    balance=12,
)
DROPPED = CallsDropped(
    id="calls_dropped:in_1",
    account_id="acc_1",
    at_ms=AT_MS,
    reason=Reason.EMPTY_TOPOFF_FAILED,
    balance=0,
)
LOW = BalanceLow(id="balance_low:1", account_id="acc_1", at_ms=AT_MS, balance=49, threshold=50)
CLAWED_BACK = CreditsClawedBack(
    id="credits_clawed_back:1",
    account_id="acc_1",
    at_ms=AT_MS,
    cause=CorrectionCause.REFUND,
    credits=40,
    amount_minor=1000,
    currency="usd",
    balance=160,
    switched_off=True,
)

BOUGHT = PurchaseSucceeded(
    id="purchase_succeeded:1",
    account_id="acc_1",
    at_ms=AT_MS,
    credits=500,
    amount_minor=12500,
    currency="usd",
    card_last4="4444",
    receipt_url="https://pay.example/receipts/1?a=1&b=2",
    balance=512,
)

CAPPED = SpendingCapReached(
    id="spending_cap_reached:1",
    account_id="acc_1",
    at_ms=AT_MS,
    cap_minor=10000,
    spent_minor=8400,
    amount_minor=4200,
    currency="usd",
    resumes_at_ms=AT_MS + 20 * 86_400_000,
    balance=243,
)

DROP_REASONS = (
    Reason.EMPTY_TOPOFF_OFF,
    Reason.EMPTY_TOPOFF_FAILED,
    Reason.EMPTY_TOPOFF_CAPPED,
    Reason.EMPTY_OVERDRAFT_USED,
)
EVERY_NOTICE: tuple[Notice, ...] = (
    SUCCEEDED,
    *(replace(FAILED, reason=reason) for reason in FailureReason),
    *(replace(DROPPED, reason=reason) for reason in DROP_REASONS),
    LOW,
    *(replace(CLAWED_BACK, cause=cause) for cause in CorrectionCause),
    CAPPED,
    BOUGHT,
    replace(BOUGHT, receipt_url=""),
)


def text_of(message: EmailMessage) -> str:
    return _body(message, "plain")


def html_of(message: EmailMessage) -> str:
    return _body(message, "html")


def _body(message: EmailMessage, subtype: str) -> str:
    part = delivered(message).get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def delivered(message: EmailMessage) -> EmailMessage:
    """The message as its reader's program sees it."""
    received = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert isinstance(received, EmailMessage)
    return received


class PageText(HTMLParser):
    """What a reader sees of an HTML page, and the elements and links it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.elements: set[str] = set()
        self.links: list[str | None] = []
        self._shown = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._shown = self._shown or tag == "body"
        self.elements.add(tag)
        self.pieces.append("" if tag in {"a", "strong"} else " ")
        self.links += [value for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        if self._shown:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.pieces).split())


def readable(message: EmailMessage) -> Iterator[str]:
    """Both bodies as their reader sees them."""
    yield " ".join(text_of(message).split())
    yield PageText(html_of(message)).text
