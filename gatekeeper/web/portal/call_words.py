"""Calls, and why they went as they did, in words for the people of their account."""

from __future__ import annotations

from typing import Final

from gatekeeper.domain.call import CallRecord, Reason, Standing
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.history.call import REASONS_OF, Call, Outcome
from gatekeeper.history.explanation import Explanation
from gatekeeper.web.portal.formats import write_credits

#: The reasons that a call of an account can have; see Reason.
REASON_LABELS: Final = {
    Reason.ALLOTMENT: "From the allotment",
    Reason.PURCHASED: "From purchased credits",
    Reason.OVERDRAFT: "Balance empty, answered ahead of the next top-off",
    Reason.EMPTY_TOPOFF_OFF: "Balance empty, auto top-off off",
    Reason.EMPTY_TOPOFF_FAILED: "Balance empty, last top-off failed",
    Reason.EMPTY_TOPOFF_CAPPED: "Balance empty, spending cap reached",
    Reason.EMPTY_OVERDRAFT_USED: "Balance empty, overdraft limit used up",
    Reason.ACCOUNT_SUSPENDED: "Account suspended",
    Reason.LEDGER_UNREACHABLE: "Balance could not be looked up in time",
}
#: What the promised words for dropped calls are true of.
_EMPTY: Final = frozenset(
    {
        Reason.EMPTY_TOPOFF_OFF,
        Reason.EMPTY_TOPOFF_FAILED,
        Reason.EMPTY_TOPOFF_CAPPED,
        Reason.EMPTY_OVERDRAFT_USED,
    }
)
#: What they are not.
DROPPED_OTHERWISE: Final = tuple(
    reason for reason in REASONS_OF[Outcome.DROPPED] if reason not in _EMPTY
)
_DROPPED: Final = "Call dropped"
#: Explanations know of top-offs in flight alone.
_TOPOFFS: Final = {
    None: "None",
    TopoffState.REQUESTED: "Requested, not charged yet",
    TopoffState.CHARGING: "Being charged",
}

Facts = list[tuple[str, str]]


def outcome_words(call: Call) -> str:
    """Say what a call came to, as promised; no more than that it was dropped for other reasons."""
    is_promised = call.outcome is not Outcome.DROPPED or call.reason in _EMPTY
    return call.outcome.label if is_promised else _DROPPED


def length_words(duration_s: int | None) -> str:
    """Write a call's length: "42 s", "4 min 5 s", "1 h 0 min 3 s"; a dash if unknown."""
    if duration_s is None:
        return "—"
    minutes, seconds = divmod(duration_s, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min {seconds} s"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def figures_before(told: Explanation) -> tuple[Facts, Facts]:
    """List the credits and the top-off settings that decided; nothing where they are not known."""
    if told.record is None:
        return [], []
    return _credits_before(told.record.standing), _topoff_before(told.record)


def _credits_before(before: Standing) -> Facts:
    return [
        ("Balance", write_credits(before.balance)),
        ("Allotment", write_credits(before.allotment)),
        ("Purchased", write_credits(before.purchased)),
        ("Account suspended", "Yes" if before.suspended else "No"),
    ]


def _topoff_before(record: CallRecord) -> Facts:
    before = record.standing
    facts = [
        ("Auto top-off", "On" if before.topoff_enabled else "Off"),
        ("Low-balance threshold", count_credits(before.threshold)),
        ("Top-up amount", count_credits(before.topoff_amount)),
        ("Overdraft limit", count_credits(before.overdraft_limit)),
        ("Top-off in progress", _TOPOFFS[before.topoff_state]),
        ("Last failure", before.blocked_by.label if before.blocked_by else "None"),
    ]
    if before.topoff_capped:
        facts.append(("Spending cap", "Reached"))
    return [*facts, ("This call requested a top-off", "Yes" if record.topoff_requested else "No")]
