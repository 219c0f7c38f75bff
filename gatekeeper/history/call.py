"""Calls as history knows them: put together from the entries that tell of them.

A call comes out the same whatever the order in which its entries are added: each fact only ever
goes from unknown to known, and where the log has two of a kind, which the ledger never writes, a
fixed one of them counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.domain.call import CallEnd, Decision, Direction, Reason
from gatekeeper.domain.entry import Entry, EntryType

#: An answered call that is shorter, by Twilio's CallDuration, was hung up at once.
HUNG_UP_BELOW_S: Final = 5

CALL_ENTRIES: Final = frozenset(
    {
        EntryType.CALL_DEBITED,
        EntryType.CALL_DROPPED,
        EntryType.CALL_SETTLED,
        EntryType.CALL_RELEASED,
    }
)


class Outcome(StrEnum):
    """What a call came to. The first three are those promised to the customers.

    An answered call that goes on, or whose duration nobody told, is a conversation: its credit is
    taken.
    """

    CONVERSATION = "conversation"  # answered; 1 credit
    HUNG_UP = "hung_up"  # answered, and hung up at once; 1 credit
    DROPPED = "dropped"  # 0 credits
    NOT_ANSWERED = "not_answered"  # let through, but busy, failed, canceled ...; 0 credits

    @property
    def label(self) -> str:
        """What customers read: as they were promised, but for the last."""
        return _LABELS[self]


_LABELS: Final = {
    Outcome.CONVERSATION: "Caller answered, full conversation",
    Outcome.HUNG_UP: "Caller answered, hung up immediately",
    Outcome.DROPPED: "Call dropped because balance was empty + auto top-off unavailable",
    Outcome.NOT_ANSWERED: "Call let through, but busy, failed, canceled or not picked up",
}

_ANSWER_REASONS: Final = (
    Reason.ALLOTMENT,
    Reason.PURCHASED,
    Reason.OVERDRAFT,
    Reason.LEDGER_UNREACHABLE,
)
_DROP_REASONS: Final = (
    Reason.EMPTY_TOPOFF_OFF,
    Reason.EMPTY_TOPOFF_FAILED,
    Reason.EMPTY_TOPOFF_CAPPED,
    Reason.EMPTY_OVERDRAFT_USED,
    Reason.ACCOUNT_SUSPENDED,
    Reason.LEDGER_UNREACHABLE,
)
#: Which reasons a call of each outcome can have.
REASONS_OF: Final[dict[Outcome, tuple[Reason, ...]]] = {
    Outcome.CONVERSATION: _ANSWER_REASONS,
    Outcome.HUNG_UP: _ANSWER_REASONS,
    Outcome.DROPPED: _DROP_REASONS,
    Outcome.NOT_ANSWERED: _ANSWER_REASONS,
}


@dataclass(slots=True)
class Call:
    """One call. `number` is the account's own; `detail` the ledger's record of the decision.

    `debits` counts how often a credit was taken for it and `releases` how often one went back:
    both may happen twice where Twilio was told a drop and then, by another process, an answer
    (R12). `dropped` says that the ledger dropped it, `withdrawn` that a credit went back because
    the caller was told a drop in spite of the debit. `end`, its time and its duration are None
    while they are unknown.
    """

    account_id: str
    call_sid: str
    direction: Direction
    number: str
    outcome: Outcome
    reason: Reason
    started_at_ms: int
    detail: str = ""
    ended_at_ms: int | None = None
    end: CallEnd | None = None
    duration_s: int | None = None
    debits: int = 0
    releases: int = 0
    dropped: bool = False
    withdrawn: bool = False

    @property
    def decision(self) -> Decision:
        """What the caller was told."""
        return Decision.DROP if self.outcome is Outcome.DROPPED else Decision.ANSWER

    @property
    def credits(self) -> int:
        """How many credits it costs."""
        return self.debits - self.releases


def call_begun_by(entry: Entry) -> Call:
    """Make the call that an entry is of, of which nothing is known yet."""
    return Call(
        account_id=entry.account_id,
        call_sid=entry.ref,
        direction=entry.direction,
        number=entry.number,
        outcome=Outcome.NOT_ANSWERED,
        reason=Reason.LEDGER_UNREACHABLE,
        started_at_ms=entry.at_ms,
    )


def add_entry(call: Call, entry: Entry, *, hung_up_below_s: int) -> None:
    """Add what an entry tells of its call. Raises ValueError when it cannot be understood."""
    if entry.direction is Direction.OUTBOUND:  # older entries of a call do not say so
        call.direction = entry.direction
    call.number = max(call.number, entry.number)
    call.started_at_ms = min(call.started_at_ms, entry.at_ms)
    match entry.type:
        case EntryType.CALL_DEBITED:
            _add_debit(call, entry)
        case EntryType.CALL_DROPPED:
            _add_drop(call, entry)
        case EntryType.CALL_SETTLED:
            _add_end(call, entry)
        case EntryType.CALL_RELEASED:
            _add_release(call, entry)
        case _:
            raise ValueError(f"{entry.type} tells of no call")
    call.outcome = _outcome(call, hung_up_below_s)


def _add_debit(call: Call, entry: Entry) -> None:
    if not call.debits or entry.detail < call.detail:
        _add_decision(call, entry)
    call.debits -= entry.allotment_delta + entry.purchased_delta


def _add_drop(call: Call, entry: Entry) -> None:
    # A call that was dropped and debited was let through after all (R12).
    if not call.debits and (not call.dropped or entry.detail < call.detail):
        _add_decision(call, entry)
    call.dropped = True


def _add_decision(call: Call, entry: Entry) -> None:
    call.detail = entry.detail
    reason = Reason(entry.cause)
    if not call.withdrawn:
        call.reason = reason


def _add_release(call: Call, entry: Entry) -> None:
    call.releases += 1
    if entry.cause == Decision.DROP:
        call.withdrawn = True
        call.reason = Reason.LEDGER_UNREACHABLE
    else:
        _add_end(call, entry)


def _add_end(call: Call, entry: Entry) -> None:
    end, duration_s = CallEnd(entry.cause), int(entry.detail) if entry.detail else None
    told = _end_order(entry.at_ms, end, duration_s)
    if call.end is None or told < _end_order(call.ended_at_ms, call.end, call.duration_s):
        call.ended_at_ms, call.end, call.duration_s = entry.at_ms, end, duration_s


def _end_order(at_ms: int | None, end: CallEnd, duration_s: int | None) -> tuple[int, str, int]:
    return at_ms or 0, end, -1 if duration_s is None else duration_s


def _outcome(call: Call, hung_up_below_s: int) -> Outcome:
    if call.credits > 0:
        return _outcome_of_answered(call, hung_up_below_s)
    if call.withdrawn:
        return Outcome.DROPPED
    if call.debits:
        return Outcome.NOT_ANSWERED
    if call.dropped:
        return Outcome.DROPPED
    # The ledger only heard of its end. A completed call that had been let through would have been
    # debited at its end (R12), so this one was dropped by the policy for outages.
    return Outcome.DROPPED if call.end is CallEnd.COMPLETED else Outcome.NOT_ANSWERED


def _outcome_of_answered(call: Call, hung_up_below_s: int) -> Outcome:
    if call.duration_s is not None and call.duration_s < hung_up_below_s:
        return Outcome.HUNG_UP
    return Outcome.CONVERSATION
