"""Why a call was answered or dropped, in plain words, from what its decision looked at."""

from __future__ import annotations

from typing import Final

from gatekeeper.domain.call import CallRecord, CallState, Decision, Reason

#: Said of a call that nothing is known of but its end.
COUNTS_AS_DROPPED: Final = (
    "The call counts as dropped: the gate first heard of this call when it ended, or could not look"
    " the balance up in time."
)


def explain_decision(record: CallRecord) -> str:
    """Say in one sentence what was decided and why, with the figures that decided it.

    Figures are credits as they stood before the call.
    """
    if _may_be_undecided(record):
        return COUNTS_AS_DROPPED
    done = "answered" if record.verdict.decision is Decision.ANSWER else "dropped"
    return f"The call was {done} {_because(record)}{_topoff_clause(record)}."


def explain_end(state: CallState) -> str:
    """Say in one sentence how a call ended and what became of its credit."""
    return _ENDS[state]


_ENDS: Final = {
    CallState.OPEN: "Its end is not known yet.",
    CallState.KEPT: "It completed, so its credit stays taken.",
    CallState.RELEASED: "It did not go through, so its credit was given back.",
    CallState.CLOSED: "It ended, and no credit was taken for it.",
    CallState.UNDECIDED: (
        "It completed, and no credit was taken for it, as nothing shows that it was answered here."
    ),
}

_BECAUSE: Final = {
    Reason.ALLOTMENT: "from the monthly allotment ({before.allotment} left before it)",
    Reason.PURCHASED: (
        "from purchased credits ({before.purchased} left before it), as the monthly allotment had"
        " none left"
    ),
    Reason.OVERDRAFT: (
        "although the balance was {before.balance}, as a top-off could still come and the"
        " overdraft limit of {before.overdraft_limit} was not reached"
    ),
    Reason.EMPTY_TOPOFF_OFF: "because the balance was {before.balance} and auto top-off was off",
    Reason.EMPTY_TOPOFF_FAILED: (
        "because the balance was {before.balance} and the last top-off had failed:"
        " {before.blocked_by.label}"
    ),
    Reason.EMPTY_TOPOFF_CAPPED: (
        "because the balance was {before.balance} and the spending cap let no top-off begin"
    ),
    Reason.EMPTY_OVERDRAFT_USED: (
        "because the balance was {before.balance} and the overdraft limit of"
        " {before.overdraft_limit} was used up"
    ),
    Reason.ACCOUNT_SUSPENDED: "because the account was suspended",
    Reason.LEDGER_UNREACHABLE: "because the balance could not be looked up in time",
    Reason.UNKNOWN_NUMBER: "because the number belongs to no account",
}


def _may_be_undecided(record: CallRecord) -> bool:
    """Tell whether the record may have been made by the call's end, which decides nothing."""
    is_unasked = record.verdict.reason is Reason.LEDGER_UNREACHABLE
    is_drop = record.verdict.decision is Decision.DROP
    return is_unasked and is_drop and record.state in (CallState.CLOSED, CallState.UNDECIDED)


def _because(record: CallRecord) -> str:
    because = _BECAUSE[record.verdict.reason].format(before=record.standing)
    return because + _late_clause(record)


def _late_clause(record: CallRecord) -> str:
    """Tell of the credit of a call that was let through without the ledger (R12)."""
    is_late = record.verdict.reason is Reason.LEDGER_UNREACHABLE
    if not is_late or record.verdict.decision is Decision.DROP:
        return ""
    if record.debited:
        return ", and its credit was taken when it completed"
    return ", and its credit is taken when it completes" if record.state is CallState.OPEN else ""


def _topoff_clause(record: CallRecord) -> str:
    if not record.topoff_requested:
        return ""
    before = record.standing
    is_drop = record.verdict.decision is Decision.DROP
    below = "the balance was" if is_drop else "that left the balance"
    return (
        f"; {below} below the threshold of {before.threshold}, so a top-off of"
        f" {before.topoff_amount} credits was requested"
    )
