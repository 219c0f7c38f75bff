"""Entries, calls and readings as rows of the tables, and back."""

from __future__ import annotations

from sqlalchemy import RowMapping

from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.call import CallEnd, Direction, Reason
from gatekeeper.domain.entry import Entry, read_type
from gatekeeper.history.batch import Row
from gatekeeper.history.call import Call, Outcome
from gatekeeper.history.meter import Usage


def entry_row(entry: Entry) -> Row:
    """Make the row of an entry. Raises ValueError when its id is none."""
    id_ms, id_seq = entry_position(entry.id)
    return {
        "account_id": entry.account_id,
        "id_ms": id_ms,
        "id_seq": id_seq,
        "at_ms": entry.at_ms,
        "type": entry.type,
        "allotment_delta": entry.allotment_delta,
        "purchased_delta": entry.purchased_delta,
        "allotment": entry.allotment,
        "purchased": entry.purchased,
        "ref": entry.ref,
        "cause": entry.cause,
        "number": entry.number,
        "detail": entry.detail,
        "direction": entry.direction,
    }


def read_entry(row: RowMapping) -> Entry:
    """Read an entry, of whatever type."""
    fields = dict(row)
    entry_id = f"{fields.pop('id_ms')}-{fields.pop('id_seq')}"
    kinds = {"type": read_type(row["type"]), "direction": Direction(row["direction"])}
    return Entry(**fields | kinds | {"id": entry_id})


def call_row(call: Call) -> Row:
    """Make the row of a call."""
    return {
        "account_id": call.account_id,
        "call_sid": call.call_sid,
        "direction": call.direction,
        "number": call.number,
        "outcome": call.outcome,
        "reason": call.reason,
        "started_at_ms": call.started_at_ms,
        "detail": call.detail,
        "ended_at_ms": call.ended_at_ms,
        "end": call.end,
        "duration_s": call.duration_s,
        "debits": call.debits,
        "releases": call.releases,
        "dropped": call.dropped,
        "withdrawn": call.withdrawn,
    }


def read_call(row: RowMapping) -> Call:
    """Read a call."""
    end = row["end"]
    return Call(
        **dict(row)
        | {
            "direction": Direction(row["direction"]),
            "outcome": Outcome(row["outcome"]),
            "reason": Reason(row["reason"]),
            "end": CallEnd(end) if end else None,
        }
    )


def usage_row(usage: Usage) -> dict[str, int]:
    """Make the part of a row that says what a meter shows."""
    return {
        "conversation": usage.conversation,
        "hung_up": usage.hung_up,
        "dropped": usage.dropped,
        "not_answered": usage.not_answered,
    }


def read_usage(row: RowMapping) -> Usage:
    """Read what a meter showed."""
    return Usage(row["conversation"], row["hung_up"], row["dropped"], row["not_answered"])
