"""Top-offs: their states, the moves between them, and when one is due.

The moves are rendered into the ledger's scripts. When one is due the scripts decide
(lua/prelude.lua); `topoff_is_due` says the same in plain Python, and is the oracle that they are
tested against.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gatekeeper.domain.incident import FailureReason


class TopoffState(StrEnum):
    """Where a top-off stands. Only `requested` and `charging` are in flight."""

    REQUESTED = "requested"
    CHARGING = "charging"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def in_flight(self) -> bool:
        """Whether money may still move."""
        return self in (TopoffState.REQUESTED, TopoffState.CHARGING)


#: Every move there is. The ledger's scripts are given this table and refuse what it lacks.
#: `requested → canceled`: auto top-off was switched off, or its charge would pass the spending cap,
#: before it began.
#: `charging → canceled`: that happened before Stripe was reached. No PaymentIntent is stored,
#: and none will be, so nothing was charged and nothing can be.
#: `failed → succeeded`: a late success (R10). Money that arrived is credited, whatever was
#: believed before.
TOPOFF_MOVES: Final[dict[TopoffState, frozenset[TopoffState]]] = {
    TopoffState.REQUESTED: frozenset(
        {TopoffState.CHARGING, TopoffState.FAILED, TopoffState.CANCELED}
    ),
    TopoffState.CHARGING: frozenset(
        {TopoffState.SUCCEEDED, TopoffState.FAILED, TopoffState.CANCELED}
    ),
    TopoffState.SUCCEEDED: frozenset(),
    TopoffState.FAILED: frozenset({TopoffState.SUCCEEDED}),
    TopoffState.CANCELED: frozenset(),
}


class TopoffCause(StrEnum):
    """What asked for a top-off."""

    AUTOMATIC = "automatic"
    RETRY = "retry"


class CancelCause(StrEnum):
    """Why a top-off was canceled."""

    SWITCHED_OFF = "switched_off"
    SUSPENDED = "suspended"
    SPENDING_CAP = "spending_cap"


@dataclass(frozen=True, slots=True)
class Topoff:
    """One automatic charge, from request to end. Amounts are minor units of `currency`."""

    id: str
    account_id: str
    state: TopoffState
    cause: TopoffCause
    credits: int
    attempt: int
    amount_minor: int | None
    currency: str
    customer: str
    payment_method: str
    payment_intent: str
    requested_at_ms: int
    charging_at_ms: int | None
    finished_at_ms: int | None
    reason: FailureReason | None
    decline_code: str
    card_last4: str


def topoff_is_due(
    *,
    balance: int,
    threshold: int,
    enabled: bool,
    suspended: bool,
    capped: bool,
    in_flight: bool,
    blocked: bool,
    retry_at_ms: int | None,
    now_ms: int,
) -> bool:
    """Tell whether a look at the threshold requests a top-off (R6, and R8's cool-downs).

    At the threshold nothing happens; below it one top-off is requested, unless the spending cap
    lets none begin. A block stands until `retry_at_ms` has passed; a block without one stands until
    a person acts.
    """
    if not enabled or suspended or capped or in_flight or balance >= threshold:
        return False
    if not blocked:
        return True
    return retry_at_ms is not None and now_ms >= retry_at_ms


def passes_cap(*, cap_minor: int | None, spent_minor: int, amount_minor: int) -> bool:
    """Tell whether a top-off that costs `amount_minor` would pass the spending cap of a period.

    `spent_minor` is what top-offs have charged in it. Without a cap none does.
    """
    return cap_minor is not None and spent_minor + amount_minor > cap_minor
