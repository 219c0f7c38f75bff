"""Why a call went as it did, from what history keeps of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gatekeeper.domain.call import (
    Bucket,
    CallEnd,
    CallRecord,
    CallState,
    Decision,
    Reason,
    Verdict,
)
from gatekeeper.domain.explanation import COUNTS_AS_DROPPED, explain_decision
from gatekeeper.history.call import Call
from gatekeeper.ledger.records import read_call

_NOT_KNOWN: Final = "Whether the call was let through is not known any more."


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is told of a call. `decision` and `record` are None when they are not known any more.

    `record` is the ledger's of the decision, as the ledger had it after the call's end.
    """

    sentence: str
    state: CallState
    decision: Decision | None
    record: CallRecord | None


def explain_call(call: Call) -> Explanation:
    """Explain a call by its decision, or by its end where the log tells of nothing else."""
    if not call.detail:
        return _explain_end_alone(call)
    record = _record_of(call)
    return Explanation(explain_decision(record), record.state, record.verdict.decision, record)


def _explain_end_alone(call: Call) -> Explanation:
    # One that completed and was let through would have been debited at its end (R12).
    if call.end is CallEnd.COMPLETED:
        return Explanation(COUNTS_AS_DROPPED, CallState.UNDECIDED, Decision.DROP, None)
    return Explanation(_NOT_KNOWN, CallState.CLOSED, None, None)


def _record_of(call: Call) -> CallRecord:
    """Make of the record of a call's decision what the ledger made of it until the call's end."""
    record = read_call(call.detail)
    if call.withdrawn and not call.credits:
        told = Verdict(Decision.DROP, Reason.LEDGER_UNREACHABLE, Bucket.NONE)
        record = replace(record, verdict=told, debited=False)
    return replace(record, state=_state_of(call))


def _state_of(call: Call) -> CallState:
    if call.releases and not call.credits:
        return CallState.RELEASED
    if call.end is None:
        return CallState.OPEN
    return CallState.KEPT if call.credits else CallState.CLOSED
