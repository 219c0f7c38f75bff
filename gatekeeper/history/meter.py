"""Meters: how many calls there have been by outcome, as read at the end of quarters of an hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatekeeper.history.call import Outcome

#: The offset of every zone in use is a whole number of these, so days begin with one everywhere.
QUARTER_MS: Final = 15 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls by outcome: a meter's reading, or the difference of two. Fields are outcomes."""

    conversation: int = 0
    hung_up: int = 0
    dropped: int = 0
    not_answered: int = 0

    @property
    def credits(self) -> int:
        """One for each answered call (R1)."""
        return self.conversation + self.hung_up

    @property
    def calls(self) -> int:
        """Calls of every outcome."""
        return self.conversation + self.hung_up + self.dropped + self.not_answered

    def of(self, outcome: Outcome) -> int:
        """Count the calls of one outcome."""
        count: int = getattr(self, outcome.value)
        return count

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.conversation + other.conversation,
            self.hung_up + other.hung_up,
            self.dropped + other.dropped,
            self.not_answered + other.not_answered,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            self.conversation - other.conversation,
            self.hung_up - other.hung_up,
            self.dropped - other.dropped,
            self.not_answered - other.not_answered,
        )


NOTHING: Final = Usage()


def corrected(
    readings: Mapping[int, Usage], changes: Mapping[int, Usage]
) -> tuple[dict[int, Usage], set[int]]:
    """Correct a meter's readings by what changed in some quarters.

    `readings` are all from the last one before the first change, if there is one, to the end.
    Returns the readings that are new or differ, and the quarters in which it moved no more.
    """
    different: dict[int, Usage] = {}
    idle: set[int] = set()
    was = now = added = NOTHING
    for quarter in sorted(readings.keys() | changes.keys()):
        was = readings.get(quarter, was)
        added += changes.get(quarter, NOTHING)
        before, now = now, was + added
        if quarter in changes and now == before:
            idle.add(quarter)
        elif readings.get(quarter) != now:
            different[quarter] = now
    return different, idle
