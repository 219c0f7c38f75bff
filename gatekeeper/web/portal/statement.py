"""Lines of a statement, in words: what came in, what went out, and how a charge ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.entry import Entry, EntryType, capped_of, charged_of, moved_of
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.topoff import CancelCause
from gatekeeper.web.portal.formats import write_money

_PAYMENT_INTENT: Final = "pi_"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line. `credits` is by how many the balance changed.

    `amount` is the money that was charged, or, below zero, that went back; "" where none moved.
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
    money = moved_of(entry) or charged_of(entry)
    words = _WORDS.get(entry.type)
    what, detail = words(entry) if words else (str(entry.type), "")
    state, tone = _STATES.get(entry.type, ("", "plain"))
    return StatementLine(
        entry_id=entry.id,
        at_ms=entry.at_ms,
        what=what,
        detail=detail,
        credits=entry.allotment_delta + entry.purchased_delta,
        balance=entry.allotment + entry.purchased,
        amount=write_money(*money) if money else "",
        state=state,
        tone=tone,
        has_receipt=payment_intent_of(entry) is not None,
    )


def exported_words(entry: Entry) -> tuple[str, str]:
    """Say what an entry is and how it ended, as its line does, for a spreadsheet."""
    line = statement_line(entry)
    return f"{line.what}: {line.detail}" if line.detail else line.what, line.state


def payment_intent_of(entry: Entry) -> str | None:
    """Find the payment at Stripe that an entry credits."""
    is_paid = entry.type in _PAID and entry.cause.startswith(_PAYMENT_INTENT)
    return entry.cause if is_paid else None


_PAID: Final = (EntryType.TOPOFF_SUCCEEDED, EntryType.PURCHASE_SUCCEEDED)
_STATES: Final[dict[str, tuple[str, str]]] = {
    EntryType.TOPOFF_SUCCEEDED: ("Paid", "good"),
    EntryType.PURCHASE_SUCCEEDED: ("Paid", "good"),
    EntryType.TOPOFF_FAILED: ("Failed", "bad"),
    EntryType.TOPOFF_CANCELED: ("Canceled", "plain"),
    EntryType.TOPOFF_CAPPED: ("Paused", "warning"),
}

_CANCELED: Final = {
    CancelCause.SWITCHED_OFF: "auto top-off was switched off",
    CancelCause.SUSPENDED: "the account was suspended",
    CancelCause.SPENDING_CAP: "it would have passed the spending cap",
}

_Words = tuple[str, str]


def _always(what: str) -> Callable[[Entry], _Words]:
    return lambda _: (what, "")


def _cycle_started(entry: Entry) -> _Words:
    has_allotment = entry.allotment > 0
    return "Allotment reset" if has_allotment else "New billing cycle", ""


def _failed(entry: Entry) -> _Words:
    return "Auto top-off", FailureReason(entry.cause).label


def _canceled(entry: Entry) -> _Words:
    return "Auto top-off", f"Not charged: {_CANCELED[CancelCause(entry.cause)]}"


def _capped(entry: Entry) -> _Words:
    capped = capped_of(entry)
    if capped is None:
        return "Auto top-off", "Spending cap reached"
    spent_minor, cap_minor, currency = capped
    spent, cap = format_minor(spent_minor, currency), format_minor(cap_minor, currency)
    return "Auto top-off", f"Spending cap reached: {spent} of {cap} charged, the next would pass it"


def _clawed_back(entry: Entry) -> _Words:
    what = "Dispute" if entry.cause == CorrectionCause.DISPUTE else "Refund"
    return what, f"{_some_credits(entry)} of the payment were taken back"


def _returned(entry: Entry) -> _Words:
    what = "Dispute won" if entry.cause == CorrectionCause.DISPUTE else "Refund failed"
    return what, f"{_some_credits(entry)} of the payment were returned"


def _some_credits(entry: Entry) -> str:
    return "Credits" if entry.purchased_delta else "No credits"


_WORDS: Final[dict[str, Callable[[Entry], _Words]]] = {
    EntryType.ACCOUNT_OPENED: _always("Account opened"),
    EntryType.CYCLE_STARTED: _cycle_started,
    EntryType.ALLOTMENT_LAPSED: _always("Unused allotment lapsed"),
    EntryType.ALLOTMENT_RAISED: _always("Allotment raised"),
    EntryType.ALLOTMENT_WITHHELD: lambda entry: (
        "Allotment withheld",
        f"The subscription is {entry.cause.replace('_', ' ')}",
    ),
    EntryType.ALLOTMENT_RESTORED: _always("Allotment restored"),
    EntryType.TOPOFF_SUCCEEDED: _always("Auto top-off"),
    EntryType.TOPOFF_FAILED: _failed,
    EntryType.TOPOFF_CANCELED: _canceled,
    EntryType.TOPOFF_CAPPED: _capped,
    EntryType.PURCHASE_SUCCEEDED: _always("Credits purchased"),
    EntryType.CREDITS_ADDED: lambda entry: ("Credits added", entry.cause),
    EntryType.CREDITS_REMOVED: lambda entry: ("Credits removed", entry.cause),
    EntryType.CREDITS_CLAWED_BACK: _clawed_back,
    EntryType.CREDITS_RETURNED: _returned,
}
