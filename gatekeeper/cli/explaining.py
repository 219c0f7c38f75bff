"""`gatekeeper explain`: why a call went as it did."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import click
from rich.console import Group
from rich.text import Text

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import facts, json_option, show, utc
from gatekeeper.domain.account import InvalidSettings
from gatekeeper.domain.call import (
    Bucket,
    CallEnd,
    CallRecord,
    CallState,
    Decision,
    Reason,
    Standing,
    Verdict,
)
from gatekeeper.domain.explanation import COUNTS_AS_DROPPED, explain_decision, explain_end
from gatekeeper.history.call import Call
from gatekeeper.history.queries import find_call
from gatekeeper.ledger.calls import FoundCall
from gatekeeper.ledger.keys import CALL_KEPT_S
from gatekeeper.ledger.records import read_call

_CALL_SID: Final = re.compile(r"CA[0-9a-fA-F]{32}")
_FROM_HISTORY: Final = (
    f"The ledger keeps a call for {CALL_KEPT_S // 3600} hours; this is from history, which"
)

_NOT_KNOWN: Final = "not known any more"


@dataclass(frozen=True, slots=True)
class _Explained:
    """What is told of a call with one account. `limits` says what is not known any more.

    `account_sid`, `decision` and `before` are None when they are not.
    """

    call_sid: str
    account_id: str
    account_sid: str | None
    sentence: str
    state: CallState
    decision: Decision | None
    reason: Reason
    bucket: Bucket
    debited: bool
    topoff_requested: bool
    at_ms: int
    before: Standing | None
    limits: str | None


@click.command()
@click.argument("call_sid", metavar="CALLSID")
@json_option
def explain(call_sid: str, *, as_json: bool) -> None:
    """Say why a call was answered or dropped, with the figures that decided it.

    From the ledger, or from history once the ledger has forgotten the call.
    """
    if not _CALL_SID.fullmatch(call_sid):
        raise InvalidSettings({"CALLSID": "must be CA and 32 hex digits"})
    told = _explanations(load_parts(), call_sid)
    first, *others = map(_document, told)
    text, *more = map(_paragraph, told)
    lines = Group(text, *(Group(Text(), other) for other in more))
    show({**first, "others": others}, lines, as_json=as_json)


def _explanations(parts: Parts, call_sid: str) -> list[_Explained]:
    found = parts.ledger.calls.find(call_sid)
    # A number that changes hands while a call goes on leaves a record with both accounts.
    found.sort(key=lambda one: (not one.record.debited, one.record.at_ms))
    if found:
        return [_from_ledger(one) for one in found]
    call = find_call(parts.history, call_sid)
    if call is None:
        raise click.ClickException(
            f"no call {call_sid} is known, neither to the ledger nor to history; none is kept when"
            " the number belongs to nobody: see `gatekeeper number show +…`"
        )
    return [_from_history(call)]


def _from_ledger(found: FoundCall) -> _Explained:
    call = found.call
    return _of_record(found.account_id, call.call_sid, call.account_sid, found.record)


def _from_history(call: Call) -> _Explained:
    if not call.detail:
        return _of_end_alone(call)
    limits = f"{_FROM_HISTORY} does not have the AccountSid."
    return _of_record(call.account_id, call.call_sid, None, _record_of(call), limits)


def _of_record(
    account_id: str,
    call_sid: str,
    account_sid: str | None,
    record: CallRecord,
    limits: str | None = None,
) -> _Explained:
    return _Explained(
        call_sid=call_sid,
        account_id=account_id,
        account_sid=account_sid,
        sentence=explain_decision(record),
        state=record.state,
        decision=record.verdict.decision,
        reason=record.verdict.reason,
        bucket=record.verdict.bucket,
        debited=record.debited,
        topoff_requested=record.topoff_requested,
        at_ms=record.at_ms,
        before=record.standing,
        limits=limits,
    )


def _of_end_alone(call: Call) -> _Explained:
    """Explain a call whose end is all that the log tells: the ledger's record went with its time.

    A call that completed and was let through would have been debited at its end (R12).
    """
    is_dropped = call.end is CallEnd.COMPLETED
    return _Explained(
        call_sid=call.call_sid,
        account_id=call.account_id,
        account_sid=None,
        sentence=COUNTS_AS_DROPPED
        if is_dropped
        else "Whether the call was let through is not known any more.",
        state=CallState.UNDECIDED if is_dropped else CallState.CLOSED,
        decision=Decision.DROP if is_dropped else None,
        reason=call.reason,
        bucket=Bucket.NONE,
        debited=False,
        topoff_requested=False,
        at_ms=call.started_at_ms,
        before=None,
        limits=f"{_FROM_HISTORY} has neither the AccountSid nor how the account stood.",
    )


def _record_of(call: Call) -> CallRecord:
    """Make of the record of a call's decision what the ledger made of it until the call's end."""
    record = read_call(call.detail)
    if call.withdrawn:
        told = Verdict(Decision.DROP, Reason.LEDGER_UNREACHABLE, Bucket.NONE)
        record = replace(record, verdict=told, debited=False)
    return replace(record, state=_state_of(call))


def _state_of(call: Call) -> CallState:
    if call.released:
        return CallState.RELEASED
    if call.end is None:
        return CallState.OPEN
    return CallState.KEPT if call.debits else CallState.CLOSED


def _paragraph(told: _Explained) -> Group:
    figures = {
        "account": told.account_id,
        "AccountSid": told.account_sid or _NOT_KNOWN,
        **_decision(told),
        "decision": told.decision or _NOT_KNOWN,
        **{f"{name} before": value for name, value in (_before(told) or {}).items()},
    }
    rows = facts({name.replace("_", " "): _plain(value) for name, value in figures.items()})
    sentences = [told.sentence, explain_end(told.state), told.limits]
    return Group(Text(" ".join(filter(None, sentences)) + "\n"), rows)


def _document(told: _Explained) -> dict[str, Any]:
    return {
        "call_sid": told.call_sid,
        "account": told.account_id,
        "account_sid": told.account_sid,
        "sentence": told.sentence,
        "end": explain_end(told.state),
        "limits": told.limits,
        **_decision(told),
        "before": _before(told),
    }


def _decision(told: _Explained) -> dict[str, Any]:
    return {
        "decision": told.decision.value if told.decision else None,
        "reason": told.reason.value,
        "state": told.state.value,
        "bucket": told.bucket.value,
        "debited": told.debited,
        "topoff_requested": told.topoff_requested,
        "at": utc(told.at_ms),
    }


def _before(told: _Explained) -> dict[str, Any] | None:
    before = told.before
    if before is None:
        return None
    return {
        "balance": before.balance,
        "allotment": before.allotment,
        "purchased": before.purchased,
        "suspended": before.suspended,
        "topoff_enabled": before.topoff_enabled,
        "threshold": before.threshold,
        "topoff_amount": before.topoff_amount,
        "overdraft_limit": before.overdraft_limit,
        "topoff_state": before.topoff_state.value if before.topoff_state else None,
        "last_failure": before.blocked_by.label if before.blocked_by else None,
    }


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
