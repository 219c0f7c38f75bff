"""Entries: the lines of the log. Everything that changes a balance is one (R15)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.domain.call import Direction
from gatekeeper.domain.change import read_detail

#: Minor units, the currency, and for a purchase who bought, where that is known.
_CHARGED: Final = re.compile(r"([0-9]{1,15}) ([a-z]{3})(?: (.+))?")
#: What was spent and the cap in minor units, and the currency.
_CAPPED: Final = re.compile(r"([0-9]{1,15}) ([0-9]{1,15}) ([a-z]{3})", re.ASCII)


class EntryType(StrEnum):
    """What happened. From TOPOFF_REQUESTED on, none changes a balance; they complete the story."""

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
    TOPOFF_CANCELED = "topoff_canceled"
    TOPOFF_CAPPED = "topoff_capped"
    INCIDENT_RESOLVED = "incident_resolved"
    ACCOUNT_CHANGED = "account_changed"
    CALL_DROPPED = "call_dropped"
    CALL_SETTLED = "call_settled"


_CHARGES: Final = (
    EntryType.TOPOFF_SUCCEEDED,
    EntryType.TOPOFF_FAILED,
    EntryType.PURCHASE_SUCCEEDED,
)
_REVERSALS: Final = (EntryType.CREDITS_CLAWED_BACK, EntryType.CREDITS_RETURNED)
_TYPES: Final[dict[str, EntryType]] = {one.value: one for one in EntryType}
_CALL_DECISIONS: Final = (EntryType.CALL_DEBITED, EntryType.CALL_DROPPED)
#: Their detail is how long the call lasted, in seconds.
CALL_ENDS: Final = (EntryType.CALL_RELEASED, EntryType.CALL_SETTLED)
#: Their ref is when a period began or ended, in ms since the epoch.
PERIOD_ENTRIES: Final = (
    EntryType.CYCLE_STARTED,
    EntryType.ALLOTMENT_LAPSED,
    EntryType.ALLOTMENT_RAISED,
)
#: Their detail is as gatekeeper/domain/change.py tells.
WITH_CHANGE: Final = (EntryType.ACCOUNT_OPENED, EntryType.ACCOUNT_CHANGED)
_WITH_NOTE: Final = (
    *CALL_ENDS,
    EntryType.CREDITS_ADDED,
    EntryType.CREDITS_REMOVED,
    EntryType.TOPOFF_REQUESTED,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the log. The sum of an account's deltas is its balance.

    `type` is a plain text where this version does not know it. `ref` names what caused it: a
    CallSid, a top-off, a purchase, a payment reference, a period's start in ms, a subscription at
    Stripe, an incident, or the account itself, or what of it was changed. `cause` says why: for
    what was bought its PaymentIntent; for an allotment withheld or restored the subscription's
    status; for an incident's end its Resolution; for ACCOUNT_CHANGED its Change; for a call's end
    it is Twilio's CallStatus, or `drop` when a credit went back because Twilio had been told to
    drop the call (R12). `number` is the account's own number for a call's entries, else "".
    `direction` is which way that call goes; INBOUND for entries that are of no call.
    `detail` is

    - the call's record (see ledger/records.py) for CALL_DEBITED and CALL_DROPPED;
    - how long the call lasted in seconds for CALL_RELEASED and CALL_SETTLED ("" when unknown);
    - who did it for CREDITS_ADDED, CREDITS_REMOVED and TOPOFF_REQUESTED ("" when nobody did by
      hand);
    - what was or should have been charged for TOPOFF_SUCCEEDED, TOPOFF_FAILED and
      PURCHASE_SUCCEEDED, as `charged_of` reads it ("" when no price was fixed yet); for the last
      also who bought, where that is known;
    - who did it, and the new values, for ACCOUNT_OPENED and ACCOUNT_CHANGED (see change.py);
    - Stripe's id of the refund or dispute for CREDITS_CLAWED_BACK and CREDITS_RETURNED, and how
      much money moved by it, as `moved_of` reads it (in old entries the id alone);
    - what top-offs had charged in the period when its spending cap let no more begin, and that cap,
      for TOPOFF_CAPPED, as `capped_of` reads it;
    - else "".
    """

    id: str
    at_ms: int
    account_id: str
    type: EntryType | str
    allotment_delta: int
    purchased_delta: int
    allotment: int
    purchased: int
    ref: str
    cause: str
    number: str
    detail: str
    direction: Direction = Direction.INBOUND

    @property
    def told_detail(self) -> str:
        """The detail, but for a call's record: its form is the ledger's own business."""
        return "" if self.type in _CALL_DECISIONS else self.detail

    @property
    def note(self) -> str:
        """Who did it by hand, which refund or dispute it was, how many seconds a call lasted."""
        if self.type in WITH_CHANGE:
            return read_detail(self.detail).by
        if self.type == EntryType.PURCHASE_SUCCEEDED:
            match = _CHARGED.fullmatch(self.detail)
            return (match[3] or "") if match else ""
        if self.type in _REVERSALS:
            return reversal_of(self.detail)
        return self.detail if self.type in _WITH_NOTE else ""


def read_type(text: str) -> EntryType | str:
    """Read the type of an entry; one that this version does not know stays as it is."""
    return _TYPES.get(text, text)


def reversal_of(detail: str) -> str:
    """Read which refund or dispute CREDITS_CLAWED_BACK or CREDITS_RETURNED is of."""
    return detail.partition(" ")[0]


def moved_of(entry: Entry) -> tuple[int, str] | None:
    """Read how much money changed hands, in minor units of a currency, where an entry says so.

    Below zero where it went back to the customer.
    """
    if entry.type == EntryType.TOPOFF_FAILED:
        return None
    if entry.type not in _REVERSALS:
        return charged_of(entry)
    match = _CHARGED.fullmatch(entry.detail.partition(" ")[2])
    sign = -1 if entry.type == EntryType.CREDITS_CLAWED_BACK else 1
    return (sign * int(match[1]), match[2]) if match else None


def charged_of(entry: Entry) -> tuple[int, str] | None:
    """Read what an entry of a charge was about, in minor units of a currency, where it says so."""
    if entry.type not in _CHARGES:
        return None
    match = _CHARGED.fullmatch(entry.detail)
    return (int(match[1]), match[2]) if match else None


def capped_of(entry: Entry) -> tuple[int, int, str] | None:
    """Read what was spent and the spending cap, in minor units of a currency, of TOPOFF_CAPPED."""
    if entry.type is not EntryType.TOPOFF_CAPPED:
        return None
    match = _CAPPED.fullmatch(entry.detail)
    return (int(match[1]), int(match[2]), match[3]) if match else None
