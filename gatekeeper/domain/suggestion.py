"""A threshold and an amount for automatic top-offs, suggested from an account's own use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from gatekeeper.domain.account import MAX_CHARGE_MINOR, MAX_CREDITS, MIN_CHARGE_MINOR
from gatekeeper.domain.forecast import WINDOW_DAYS, days_to_go_by
from gatekeeper.domain.phrasing import count_credits

#: Numbers up to this are rounded up to fives, larger ones to two digits.
_FINE_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Both in credits, and why these, as a sentence for the customer."""

    threshold: int
    amount: int
    reason: str


def suggest_topoff(used_by_day: Sequence[int], price_minor: int) -> Suggestion | None:
    """Suggest settings that TopoffSettings.check accepts at this price of one credit.

    `used_by_day` are the credits of whole days, oldest first. None when there is too little to go
    by, or nothing that can be charged at this price. The threshold lasts for the two busiest days
    in a row, so that calls go on while a charge that failed is put right; the amount for two weeks.
    """
    days = days_to_go_by(used_by_day)
    least, most = -(-MIN_CHARGE_MINOR // price_minor), MAX_CHARGE_MINOR // price_minor
    most = min(most, MAX_CREDITS)
    if days is None or most < max(2, least):
        return None
    busiest = max(first + second for first, second in pairwise(days))
    two_weeks = math.ceil(WINDOW_DAYS * sum(days) / len(days))
    threshold = _rounded_up(busiest)
    amount = min(max(_rounded_up(max(two_weeks, threshold + 1)), least), most)
    threshold = min(threshold, amount - 1)
    return Suggestion(threshold, amount, _reason(busiest, two_weeks))


def _rounded_up(credits: int) -> int:
    step = 5 if credits <= _FINE_MAX else 10 ** (len(str(credits)) - 2)
    return -(-credits // step) * step


def _reason(busiest: int, two_weeks: int) -> str:
    return (
        f"Your two busiest days in a row used {count_credits(busiest)}, and two weeks use about "
        f"{count_credits(two_weeks)}."
    )
