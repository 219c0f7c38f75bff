"""Lines of a statement, in words: what came in, what went out, and how a charge ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.entry import Entry, EntryType, charged_of
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.money import format_minor

_PAYMENT_INTENT: Final = "pi_"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line. `credits` is by how many the balance changed; `amount` is "" where none moved.

    `tone` goes with the state: the words say it all.
    """

    entry_id: str
    at_ms: int
    what: str
    detail: str
    credits: int
    balance: int
    amount: str
    state: str
    tone: str
    has_receipt: bool


def statement_line(entry: Entry) -> StatementLine:
    """Put an entry into words. None of them names a decline code, or who of our people did it."""
    charged = charged_of(entry)
    what, detail = _WORDS[entry.type](entry) if entry.type in _WORDS else (entry.type.value, "")
    state, tone = _STATES.get(entry.type, ("", "plain"))
    return StatementLine(
        entry_id=entry.id,
        at_ms=entry.at_ms,
        what=what,
        detail=detail,
        credits=entry.allotment_delta + entry.purchased_delta,
        balance=entry.allotment + entry.purchased,
        amount=format_minor(*charged) if charged else "",
        state=state,
        tone=tone,
        has_receipt=payment_intent_of(entry) is not None,
    )


def payment_intent_of(entry: Entry) -> str | None:
    """Find the payment at Stripe that an entry credits."""
    is_paid = entry.type in _PAID and entry.cause.startswith(_PAYMENT_INTENT)
    return entry.cause if is_paid else None


_PAID: Final = (EntryType.TOPOFF_SUCCEEDED, EntryType.PURCHASE_SUCCEEDED)
_STATES: Final = {
    EntryType.TOPOFF_SUCCEEDED: ("Paid", "good"),
    EntryType.PURCHASE_SUCCEEDED: ("Paid", "good"),
    EntryType.TOPOFF_FAILED: ("Failed", "bad"),
}

_Words = tuple[str, str]


def _always(what: str) -> Callable[[Entry], _Words]:
    return lambda _: (what, "")


def _failed(entry: Entry) -> _Words:
    return "Auto top-off", FailureReason(entry.cause).label


def _clawed_back(entry: Entry) -> _Words:
    if entry.cause == CorrectionCause.DISPUTE:
        return "Dispute", "Credits of the payment were taken back"
    return "Refund", "Credits of the payment were taken back"


def _returned(entry: Entry) -> _Words:
    if entry.cause == CorrectionCause.DISPUTE:
        return "Dispute won", "Credits of the payment were returned"
    return "Refund failed", "Credits of the payment were returned"


_WORDS: Final[dict[EntryType, Callable[[Entry], _Words]]] = {
    EntryType.ACCOUNT_OPENED: _always("Account opened"),
    EntryType.CYCLE_STARTED: _always("Allotment reset"),
    EntryType.ALLOTMENT_LAPSED: _always("Unused allotment lapsed"),
    EntryType.ALLOTMENT_RAISED: _always("Allotment raised"),
    EntryType.ALLOTMENT_WITHHELD: lambda entry: (
        "Allotment withheld",
        f"The subscription is {entry.cause.replace('_', ' ')}",
    ),
    EntryType.ALLOTMENT_RESTORED: _always("Allotment restored"),
    EntryType.TOPOFF_SUCCEEDED: _always("Auto top-off"),
    EntryType.TOPOFF_FAILED: _failed,
    EntryType.PURCHASE_SUCCEEDED: _always("Credits purchased"),
    EntryType.CREDITS_ADDED: lambda entry: ("Credits added", entry.cause),
    EntryType.CREDITS_REMOVED: lambda entry: ("Credits removed", entry.cause),
    EntryType.CREDITS_CLAWED_BACK: _clawed_back,
    EntryType.CREDITS_RETURNED: _returned,
}
