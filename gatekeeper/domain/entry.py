"""Entries: the lines of the log. Everything that changes a balance is one (R15)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Minor units, and the currency.
_CHARGED: Final = re.compile(r"([0-9]{1,15}) ([a-z]{3})")


class EntryType(StrEnum):
    """What happened. The last four never change a balance; they complete the story."""

    ACCOUNT_OPENED = "account_opened"
    CALL_DEBITED = "call_debited"
    CALL_RELEASED = "call_released"
    CYCLE_STARTED = "cycle_started"
    ALLOTMENT_LAPSED = "allotment_lapsed"
    ALLOTMENT_RAISED = "allotment_raised"
    ALLOTMENT_WITHHELD = "allotment_withheld"
    ALLOTMENT_RESTORED = "allotment_restored"
    TOPOFF_SUCCEEDED = "topoff_succeeded"
    PURCHASE_SUCCEEDED = "purchase_succeeded"
    CREDITS_ADDED = "credits_added"
    CREDITS_REMOVED = "credits_removed"
    CREDITS_CLAWED_BACK = "credits_clawed_back"
    CREDITS_RETURNED = "credits_returned"
    TOPOFF_REQUESTED = "topoff_requested"
    TOPOFF_FAILED = "topoff_failed"
    CALL_DROPPED = "call_dropped"
    CALL_SETTLED = "call_settled"


_CHARGES: Final = (
    EntryType.TOPOFF_SUCCEEDED,
    EntryType.TOPOFF_FAILED,
    EntryType.PURCHASE_SUCCEEDED,
)
_CALL_DECISIONS: Final = (EntryType.CALL_DEBITED, EntryType.CALL_DROPPED)
#: Their detail is how long the call lasted, in seconds.
CALL_ENDS: Final = (EntryType.CALL_RELEASED, EntryType.CALL_SETTLED)
#: Their ref is when a period began or ended, in ms since the epoch.
PERIOD_ENTRIES: Final = (
    EntryType.CYCLE_STARTED,
    EntryType.ALLOTMENT_LAPSED,
    EntryType.ALLOTMENT_RAISED,
)
_WITH_NOTE: Final = (
    *CALL_ENDS,
    EntryType.CREDITS_ADDED,
    EntryType.CREDITS_REMOVED,
    EntryType.CREDITS_CLAWED_BACK,
    EntryType.CREDITS_RETURNED,
    EntryType.TOPOFF_REQUESTED,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. The sum of an account's deltas is its balance.

    `ref` names what caused it: a CallSid, a top-off, a purchase, a payment reference, a period's
    start in ms, a subscription at Stripe, or the account itself. `cause` says why: for what was
    bought its PaymentIntent; for an allotment withheld or restored the subscription's status; for a
    call's end it is Twilio's CallStatus, or `drop` when a credit went back because Twilio had been
    told to drop the call (R12). `number` is the account's own number for a call's entries, else "".
    `detail` is

    - the call's record (see ledger/records.py) for CALL_DEBITED and CALL_DROPPED;
    - how long the call lasted in seconds for CALL_RELEASED and CALL_SETTLED ("" when unknown);
    - who did it for CREDITS_ADDED, CREDITS_REMOVED and TOPOFF_REQUESTED ("" when nobody did by
      hand);
    - what was or should have been charged for TOPOFF_SUCCEEDED, TOPOFF_FAILED and
      PURCHASE_SUCCEEDED, as `charged_of` reads it ("" when no price was fixed yet);
    - Stripe's id of the refund or dispute for CREDITS_CLAWED_BACK and CREDITS_RETURNED;
    - else "".
    """

    id: str
    at_ms: int
    account_id: str
    type: EntryType
    allotment_delta: int
    purchased_delta: int
    allotment: int
    purchased: int
    ref: str
    cause: str
    number: str
    detail: str

    @property
    def told_detail(self) -> str:
        """The detail, but for a call's record: its form is the ledger's own business."""
        return "" if self.type in _CALL_DECISIONS else self.detail

    @property
    def note(self) -> str:
        """Who did it by hand, which refund or dispute it was, how many seconds a call lasted."""
        return self.detail if self.type in _WITH_NOTE else ""


def charged_of(entry: Entry) -> tuple[int, str] | None:
    """Read what an entry of a charge was about, in minor units of a currency, where it says so."""
    if entry.type not in _CHARGES:
        return None
    match = _CHARGED.fullmatch(entry.detail)
    return (int(match[1]), match[2]) if match else None
