"""Accounts with a spending cap, for tests."""

from __future__ import annotations

from gatekeeper.domain.call import CallRecord, Decision
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.ledger.calls import Admission
from tests.ledger.desk import PRICE_MINOR, Desk

TOPOFF_MINOR = 20 * PRICE_MINOR
DAY_S = 86_400


def entries(desk: Desk, *kinds: EntryType) -> list[Entry]:
    return [one for one in desk.ledger.log.entries(desk.id) if one.type in kinds]


def topped_off(desk: Desk, *, cap: int, limit: int | None = None) -> Desk:
    """An account whose first top-off of 20 credits has been charged under a cap."""
    desk.open().card().topoff(cap=cap, limit=limit)
    desk.paid_topoff()
    return desk


def empty(desk: Desk) -> Admission:
    """Use up the twenty credits; returns the call after them."""
    for _ in range(20):
        assert desk.call().verdict.decision is Decision.ANSWER
    return desk.call()


def record_of_drop(desk: Desk) -> CallRecord:
    call_sid = entries(desk, EntryType.CALL_DROPPED)[-1].ref
    (found,) = desk.ledger.calls.find(call_sid)
    return found.record
