"""The one decision: is this call answered, what does it burn, and why.

The ledger's scripts decide calls (lua/account/admit_call.lua). `decide` and `burning_bucket` say
the same in plain Python: they are the oracle that the scripts are tested against.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import TopoffState


class Decision(StrEnum):
    """What happens to a call."""

    ANSWER = "answer"
    DROP = "drop"


class Reason(StrEnum):
    """Why. `unknown_number` is decided before any account is known."""

    ALLOTMENT = "allotment"
    PURCHASED = "purchased"
    OVERDRAFT = "overdraft"
    LEDGER_UNREACHABLE = "ledger_unreachable"
    EMPTY_TOPOFF_OFF = "empty_topoff_off"
    EMPTY_TOPOFF_FAILED = "empty_topoff_failed"
    EMPTY_TOPOFF_CAPPED = "empty_topoff_capped"
    EMPTY_OVERDRAFT_USED = "empty_overdraft_used"
    ACCOUNT_SUSPENDED = "account_suspended"
    UNKNOWN_NUMBER = "unknown_number"


class Direction(StrEnum):
    """Which way a call goes, as the account sees it: its number is called, or calls."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Bucket(StrEnum):
    """Where a credit is taken from (R3)."""

    ALLOTMENT = "allotment"
    PURCHASED = "purchased"
    NONE = "none"


class CallState(StrEnum):
    """A call's life in the ledger."""

    OPEN = "open"  # decided, its end not yet known
    KEPT = "kept"  # completed; its credit stays taken
    RELEASED = "released"  # not completed; its credit was given back
    CLOSED = "closed"  # ended, and never had a credit
    UNDECIDED = "undecided"  # completed, and the ledger knows of no decision


class CallEnd(StrEnum):
    """Twilio's terminal call statuses."""

    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class CallId:
    """What identifies a call (R1): Twilio's AccountSid and CallSid."""

    account_sid: str
    call_sid: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What a decision looks at, as it stood before the call. Credits unless said otherwise.

    `topoff_capped`: the spending cap lets no top-off begin. A call's record does not say so where a
    failure blocks them as well.
    """

    allotment: int
    purchased: int
    suspended: bool
    topoff_enabled: bool
    threshold: int
    topoff_amount: int
    overdraft_limit: int
    topoff_state: TopoffState | None
    blocked_by: FailureReason | None
    topoff_capped: bool = False

    @property
    def balance(self) -> int:
        """Both buckets together."""
        return self.allotment + self.purchased


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its reason and the bucket that pays."""

    decision: Decision
    reason: Reason
    bucket: Bucket


def burning_bucket(allotment: int) -> Bucket:
    """Pick the bucket that burns next: the allotment first (R3)."""
    return Bucket.ALLOTMENT if allotment > 0 else Bucket.PURCHASED


def decide(standing: Standing) -> Verdict:
    """Decide a call as the ledger's script does (R3, R5)."""
    if standing.suspended:
        return _drop(Reason.ACCOUNT_SUSPENDED)
    bucket = burning_bucket(standing.allotment)
    if standing.balance > 0:
        reason = Reason.ALLOTMENT if bucket is Bucket.ALLOTMENT else Reason.PURCHASED
        return Verdict(Decision.ANSWER, reason, bucket)
    return _decide_empty(standing, bucket)


def _decide_empty(standing: Standing, bucket: Bucket) -> Verdict:
    if not standing.topoff_enabled:
        return _drop(Reason.EMPTY_TOPOFF_OFF)
    if standing.blocked_by is not None:
        return _drop(Reason.EMPTY_TOPOFF_FAILED)
    if standing.topoff_capped and standing.topoff_state is None:
        return _drop(Reason.EMPTY_TOPOFF_CAPPED)
    if standing.balance - 1 < -standing.overdraft_limit:
        return _drop(Reason.EMPTY_OVERDRAFT_USED)
    return Verdict(Decision.ANSWER, Reason.OVERDRAFT, bucket)


def _drop(reason: Reason) -> Verdict:
    return Verdict(Decision.DROP, reason, Bucket.NONE)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What the ledger keeps of a call: the explanation of its decision, and its end."""

    state: CallState
    verdict: Verdict
    standing: Standing
    debited: bool
    topoff_requested: bool
    cycle_no: int
    at_ms: int
