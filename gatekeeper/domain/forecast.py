"""How long an account's credits last at the rate of its last two weeks, where that can be told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final

#: The rate is that of so many days at most.
WINDOW_DAYS: Final = 14
#: With less than this a forecast would be a guess.
DAYS_MIN: Final = 7
CALLS_MIN: Final = 5
#: Further ahead nobody's last two weeks say anything.
HORIZON_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class Supply:
    """The credits there are, and those that come by themselves.

    `allotment_size` credits are granted every `period_days` from `days_to_reset` on; None is
    never. What is left of `allotment` lapses then, `purchased` stays (R3, R4). All days may have
    fractions.
    """

    allotment: int
    purchased: int
    allotment_size: int = 0
    days_to_reset: float | None = None
    period_days: float = 30.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is used a day, in credits, and in how many days nothing is left.

    `over_days` is how many days the rate is that of. `days_left` is None when it lies beyond
    HORIZON_DAYS. `counted` are the credits granted at each reset until then, 0 if there is none.
    """

    per_day: float
    over_days: int
    days_left: int | None
    counted: int = 0


def days_to_go_by(used_by_day: Sequence[int]) -> Sequence[int] | None:
    """Pick the days whose use says something of the days to come; None when there are too few.

    `used_by_day` are the credits of whole days, oldest first. Days before the first use do not
    count: an account that began a week ago did not use little in the week before.
    """
    begun = list(dropwhile(lambda used: used == 0, used_by_day))[-WINDOW_DAYS:]
    if len(begun) < DAYS_MIN or sum(begun) < CALLS_MIN:
        return None
    return begun


def forecast(used_by_day: Sequence[int], supply: Supply) -> Forecast | None:
    """Reckon how long credits last if nothing is bought; None when there is too little to go by."""
    days = days_to_go_by(used_by_day)
    if days is None:
        return None
    per_day = sum(days) / len(days)
    left = _days_left(per_day, supply)
    resets = supply.days_to_reset is not None and (left is None or left >= supply.days_to_reset)
    return Forecast(
        per_day,
        len(days),
        days_left=None if left is None else math.floor(left),
        counted=supply.allotment_size if resets else 0,
    )


def _days_left(per_day: float, supply: Supply) -> float | None:
    """Use up period after period."""
    allotment, purchased, elapsed = supply.allotment, float(supply.purchased), 0.0
    span = supply.days_to_reset
    while elapsed <= HORIZON_DAYS:
        left = max(0.0, allotment + purchased)
        if span is None or left < per_day * span:
            elapsed += left / per_day
            break
        purchased -= max(0.0, per_day * span - allotment)
        allotment, elapsed, span = supply.allotment_size, elapsed + span, supply.period_days
    return elapsed if elapsed <= HORIZON_DAYS else None
