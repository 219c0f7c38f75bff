"""`gatekeeper explain` and `log`: why a call went as it did, and what changed a balance."""

from __future__ import annotations

import re
from typing import Any

import click
from rich.console import Group
from rich.text import Text

from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import facts, json_option, show, table, utc, utc_second
from gatekeeper.cli.parameters import account_argument
from gatekeeper.domain.account import InvalidSettings
from gatekeeper.domain.call import CallRecord
from gatekeeper.domain.entry import Entry
from gatekeeper.domain.explanation import explain_decision, explain_end
from gatekeeper.ledger.calls import FoundCall
from gatekeeper.ledger.keys import CALL_KEPT_S
from gatekeeper.ledger.lookback import newest_entries

_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_MAX_ENTRIES = 10_000


@click.command()
@click.argument("call_sid", metavar="CALLSID")
@json_option
def explain(call_sid: str, *, as_json: bool) -> None:
    """Say why a call was answered or dropped, with the figures that decided it."""
    if not _CALL_SID.fullmatch(call_sid):
        raise InvalidSettings({"CALLSID": "must be CA and 32 hex digits"})
    found = load_parts().ledger.calls.find(call_sid)
    if not found:
        raise click.ClickException(
            f"no call {call_sid} is known; calls are kept for {CALL_KEPT_S // 3600} hours, and not"
            " at all when the number belongs to nobody: see `gatekeeper number show +…`"
        )
    # A number that changes hands while a call goes on leaves a record with both accounts.
    found.sort(key=lambda one: (not one.record.debited, one.record.at_ms))
    first, *others = map(_document, found)
    text, *more = map(_paragraph, found)
    lines = Group(text, *(Group(Text(), other) for other in more))
    show({**first, "others": others}, lines, as_json=as_json)


def _paragraph(found: FoundCall) -> Group:
    record = found.record
    figures = {
        "account": found.account_id,
        "AccountSid": found.call.account_sid,
        **_decision(record),
        **{f"{name} before": value for name, value in _standing(record).items()},
    }
    rows = facts({name.replace("_", " "): _plain(value) for name, value in figures.items()})
    return Group(Text(f"{explain_decision(record)} {explain_end(record)}\n"), rows)


def _document(found: FoundCall) -> dict[str, Any]:
    return {
        "call_sid": found.call.call_sid,
        "account": found.account_id,
        "account_sid": found.call.account_sid,
        "sentence": explain_decision(found.record),
        "end": explain_end(found.record),
        **_decision(found.record),
        "before": _standing(found.record),
    }


def _decision(record: CallRecord) -> dict[str, Any]:
    return {
        "decision": record.verdict.decision.value,
        "reason": record.verdict.reason.value,
        "state": record.state.value,
        "bucket": record.verdict.bucket.value,
        "debited": record.debited,
        "topoff_requested": record.topoff_requested,
        "at": utc(record.at_ms),
    }


def _standing(record: CallRecord) -> dict[str, Any]:
    before = record.standing
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


@click.command()
@account_argument
@click.option(
    "--limit", type=click.IntRange(1, _MAX_ENTRIES), default=50, show_default=True, metavar="N"
)
@json_option
def log(account_id: str, limit: int, *, as_json: bool) -> None:
    """Show an account's last N entries, newest last."""
    ledger = load_parts().ledger
    ledger.accounts.account(account_id)  # an unknown account is not one without entries
    entries = newest_entries(ledger, account_id, limit)
    names = ("time (UTC)", "type", "change", "balance", "ref", "cause")
    rows = map(_row, entries)
    lines = table(names, rows, right=("change", "balance"), cut=("ref", "cause"))
    show({"entries": [_entry_document(entry) for entry in entries]}, lines, as_json=as_json)


def _row(entry: Entry) -> tuple[str, ...]:
    change = entry.allotment_delta + entry.purchased_delta
    return (
        utc_second(entry.at_ms),
        entry.type.value,
        f"{change:+d}" if change else "",
        str(entry.allotment + entry.purchased),
        entry.ref,
        entry.cause,
    )


def _entry_document(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": utc(entry.at_ms),
        "type": entry.type.value,
        "allotment_delta": entry.allotment_delta,
        "purchased_delta": entry.purchased_delta,
        "balance": {
            "total": entry.allotment + entry.purchased,
            "allotment": entry.allotment,
            "purchased": entry.purchased,
        },
        "ref": entry.ref,
        "cause": entry.cause,
        "number": entry.number or None,
        "detail": entry.detail or None,
    }
