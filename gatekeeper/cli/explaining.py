"""`gatekeeper explain`: why a call went as it did."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import click
from rich.console import Group
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import facts, json_option, show, utc
from gatekeeper.domain.account import InvalidSettings
from gatekeeper.domain.call import (
    Bucket,
    CallRecord,
    CallState,
    Decision,
    Direction,
    Reason,
    Standing,
)
from gatekeeper.domain.explanation import explain_decision, explain_end
from gatekeeper.history.call import Call
from gatekeeper.history.explanation import Explanation, explain_call
from gatekeeper.history.queries import find_calls
from gatekeeper.ledger.calls import FoundCall
from gatekeeper.ledger.keys import CALL_KEPT_S

_CALL_SID: Final = re.compile(r"CA[0-9a-fA-F]{32}")
_FROM_HISTORY: Final = (
    f"The ledger keeps a call for {CALL_KEPT_S // 3600} hours; this is from history, which"
)

_NOT_KNOWN: Final = "not known any more"
_LABELS: Final = {
    "state": "its end",
    "bucket": "paid from",
    "debited": "credit taken",
    "topoff_requested": "top-off requested",
    "at": "decided at",
    "topoff_enabled": "auto top-off",
    "topoff_amount": "top-off amount",
    "topoff_state": "top-off in flight",
    "topoff_capped": "spending cap reached",
}
_STATES: Final = {
    CallState.OPEN: "not known yet",
    CallState.KEPT: "completed; its credit stays taken",
    CallState.RELEASED: "not completed; its credit was given back",
    CallState.CLOSED: "ended, and never cost a credit",
    CallState.UNDECIDED: "completed; no decision is known",
}
_BUCKETS: Final = {
    Bucket.ALLOTMENT: "monthly allotment",
    Bucket.PURCHASED: "purchased credits",
    Bucket.NONE: "nothing",
}


@dataclass(frozen=True, slots=True)
class _Explained:
    """What is told of a call with one account. `limits` says what is not known any more.

    `account_sid`, `direction`, `decision` and `before` are None when they are not.
    """

    call_sid: str
    account_id: str
    account_sid: str | None
    direction: Direction | None
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
    if found:
        directions = _directions(parts, call_sid)
        told = [_from_ledger(one, directions.get(one.account_id)) for one in found]
    else:
        told = [_from_history(call) for call in find_calls(parts.history, call_sid)]
    if not told:
        raise click.ClickException(
            f"no call {call_sid} is known, neither to the ledger nor to history; none is kept when"
            " the number belongs to nobody: see `gatekeeper number show +…`"
        )
    # A number that changes hands while a call goes on leaves a record with both accounts.
    return sorted(told, key=lambda one: (not one.debited, one.at_ms))


def _directions(parts: Parts, call_sid: str) -> dict[str, Direction]:
    """Find which way the call of each account went, as far as history can tell now."""
    try:
        return {call.account_id: call.direction for call in find_calls(parts.history, call_sid)}
    except SQLAlchemyError:
        return {}


def _from_ledger(found: FoundCall, direction: Direction | None) -> _Explained:
    call = found.call
    return _of_record(found.account_id, call.call_sid, call.account_sid, direction, found.record)


def _from_history(call: Call) -> _Explained:
    told = explain_call(call)
    if told.record is None:
        return _of_end_alone(call, told)
    limits = f"{_FROM_HISTORY} does not have the AccountSid."
    return _of_record(call.account_id, call.call_sid, None, call.direction, told.record, limits)


def _of_record(
    account_id: str,
    call_sid: str,
    account_sid: str | None,
    direction: Direction | None,
    record: CallRecord,
    limits: str | None = None,
) -> _Explained:
    return _Explained(
        call_sid=call_sid,
        account_id=account_id,
        account_sid=account_sid,
        direction=direction,
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


def _of_end_alone(call: Call, told: Explanation) -> _Explained:
    """Tell of a call whose end is all that the log has: the ledger's record went with its time."""
    return _Explained(
        call_sid=call.call_sid,
        account_id=call.account_id,
        account_sid=None,
        direction=call.direction,
        sentence=told.sentence,
        state=told.state,
        decision=told.decision,
        reason=call.reason,
        bucket=Bucket.NONE,
        debited=False,
        topoff_requested=False,
        at_ms=call.started_at_ms,
        before=None,
        limits=f"{_FROM_HISTORY} has neither the AccountSid nor how the account stood.",
    )


def _paragraph(told: _Explained) -> Group:
    decision = _decision(told) | {
        "decision": told.decision or _NOT_KNOWN,
        "state": _STATES[told.state],
        "bucket": _BUCKETS[told.bucket],
    }
    before = _before(told) or {}
    figures = {
        "account": told.account_id,
        "AccountSid": told.account_sid or _NOT_KNOWN,
        "direction": told.direction or "not known yet",
        **{_label(name): value for name, value in decision.items()},
        **{f"{_label(name)} before": value for name, value in before.items()},
    }
    rows = facts({name: _plain(value) for name, value in figures.items()})
    sentences = [told.sentence, explain_end(told.state), told.limits]
    return Group(Text(" ".join(filter(None, sentences)) + "\n"), rows)


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def _document(told: _Explained) -> dict[str, Any]:
    return {
        "call_sid": told.call_sid,
        "account": told.account_id,
        "account_sid": told.account_sid,
        "direction": told.direction.value if told.direction else None,
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
        "topoff_capped": before.topoff_capped,
        "last_failure": before.blocked_by.label if before.blocked_by else None,
    }


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
