"""How accounts stand, and what their entries tell, in words for the product's own people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.account import Account
from gatekeeper.domain.call import CallEnd, Decision, Reason, decide
from gatekeeper.domain.change_words import change_words
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.incident import RESOLUTION_WORDS
from gatekeeper.domain.topoff import CancelCause, TopoffCause
from gatekeeper.history.call import CALL_ENTRIES
from gatekeeper.web.portal.account_state import AccountState
from gatekeeper.web.portal.call_words import REASON_LABELS, length_words
from gatekeeper.web.portal.statement import statement_line

_IN_ORDER: Final = AccountState("In order", "good")


def admin_states(account: Account) -> list[AccountState]:
    """Say all that an account may have to be looked at for, the worst first."""
    return list(_states(account)) or [_IN_ORDER]


def _states(account: Account) -> Iterator[AccountState]:
    if account.suspended:
        yield AccountState("Suspended", "bad")
    elif decide(account.standing).decision is Decision.DROP:
        yield AccountState("Calls are dropped", "bad")
    if account.blocked_by is not None:
        yield AccountState(account.blocked_by.label, "bad")
    if account.topoff_id:
        yield AccountState("Charge in flight", "busy")
    if account.topoff_capped:
        yield AccountState("Spending cap reached", "warning")
    if account.balance < 0:
        yield AccountState("Overdraft", "warning")
    if not account.topoff.enabled:
        yield AccountState("Auto top-off off", "plain")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One entry. `who` did it by hand, "" where nobody did; `call_sid` is of a call's entry."""

    at_ms: int
    what: str
    detail: str
    who: str
    credits: int
    balance: int
    call_sid: str


def log_line(entry: Entry, currency: str) -> LogLine:
    """Put an entry into words. `currency` is the deployment's."""
    what, detail = _words(entry, currency)
    return LogLine(
        at_ms=entry.at_ms,
        what=what,
        detail=detail,
        who=entry.note if entry.type in _BY_HAND else "",
        credits=entry.allotment_delta + entry.purchased_delta,
        balance=entry.allotment + entry.purchased,
        call_sid=entry.ref if entry.type in CALL_ENTRIES else "",
    )


_BY_HAND: Final[tuple[str, ...]] = (
    EntryType.ACCOUNT_OPENED,
    EntryType.ACCOUNT_CHANGED,
    EntryType.CREDITS_ADDED,
    EntryType.CREDITS_REMOVED,
    EntryType.TOPOFF_REQUESTED,
    EntryType.PURCHASE_SUCCEEDED,
)

_Words = tuple[str, str]


def _words(entry: Entry, currency: str) -> _Words:
    if entry.type == EntryType.ACCOUNT_CHANGED:
        return change_words(entry, currency), ""
    if entry.type in _WORDS:
        return _WORDS[entry.type](entry)
    line = statement_line(entry)
    return line.what, ", ".join(filter(None, (line.state, line.amount, line.detail)))


def _reason(entry: Entry) -> str:
    known = entry.cause in set(Reason)
    return REASON_LABELS.get(Reason(entry.cause), entry.cause) if known else entry.cause


def _released(entry: Entry) -> _Words:
    why = "dropped by the policy for outages" if entry.cause == Decision.DROP else _end(entry)
    return "Credit given back", why


def _end(entry: Entry) -> str:
    length = length_words(int(entry.detail)) if entry.detail.isdecimal() else ""
    return ", ".join(filter(None, (entry.cause.replace("-", " "), length)))


def _settled(entry: Entry) -> _Words:
    return "Call ended" if entry.cause == CallEnd.COMPLETED else "Call not answered", _end(entry)


def _requested(entry: Entry) -> _Words:
    asked = "Retry requested" if entry.cause == TopoffCause.RETRY else "Top-off requested"
    return asked, entry.ref


def _canceled(entry: Entry) -> _Words:
    known = entry.cause in set(CancelCause)
    return "Top-off canceled", entry.cause.replace("_", " ") if known else ""


_WORDS: Final[dict[str, Callable[[Entry], _Words]]] = {
    EntryType.CALL_DEBITED: lambda entry: ("Call answered", _reason(entry)),
    EntryType.CALL_DROPPED: lambda entry: ("Call dropped", _reason(entry)),
    EntryType.CALL_SETTLED: _settled,
    EntryType.CALL_RELEASED: _released,
    EntryType.TOPOFF_REQUESTED: _requested,
    EntryType.TOPOFF_CANCELED: _canceled,
    EntryType.TOPOFF_CAPPED: lambda _: ("Spending cap reached", "no more top-offs this cycle"),
    EntryType.INCIDENT_RESOLVED: lambda entry: (
        "Incident over",
        RESOLUTION_WORDS.get(entry.cause, entry.cause),
    ),
}
