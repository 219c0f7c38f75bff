"""What is measured, and how it compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure of ours beside another's, measured in turn, round by round.

    What is wanted is None where nothing is promised: of the ratio and of ours at least so much,
    or, where less is better, a ratio of at most so much.
    """

    name: str
    other_name: str
    unit: str
    ours: Sequence[float]
    others: Sequence[float]
    ratio_wanted: float | None = None
    ratio_most_wanted: float | None = None
    ours_wanted: float | None = None

    @property
    def ratios(self) -> list[float]:
        """Each round's ratio: what slows a machine down for a while slows both."""
        return [ours / other for ours, other in zip(self.ours, self.others, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    @property
    def is_missed(self) -> bool:
        """Whether a figure is not what it should be."""
        return (
            (self.ratio_wanted is not None and self.ratio < self.ratio_wanted)
            or (self.ratio_most_wanted is not None and self.ratio > self.ratio_most_wanted)
            or (self.ours_wanted is not None and median(self.ours) < self.ours_wanted)
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """A figure that stands for itself. `most_wanted` is None where nothing is promised."""

    name: str
    unit: str
    value: float
    most_wanted: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it is higher than it should be."""
        return self.most_wanted is not None and self.value > self.most_wanted


Figure = Comparison | Reading
