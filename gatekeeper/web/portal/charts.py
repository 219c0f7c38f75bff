"""Bar charts: where each bar and line stands, for the macro that draws them.

Widths are percentages, so that a chart fits any screen while its words keep their size; heights are
pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

_HEIGHT_PX: Final = 160
_GAP_SHARE: Final = 0.25
_LABELS_MAX: Final = 5
#: Fewer bars stand at the left, in as much room as so many have.
_SLOTS_MIN: Final = 14
#: The tops of scales, times a power of ten; each can be halved into a round number.
_TOPS: Final = (1, 2, 4, 6, 8, 10)
_LEAST_TOP: Final = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One day. `x` and `width` are percentages of the chart's width."""

    label: str
    value: int
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A word at an axis; `at` is pixels from the top, or a percentage from the left."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class BarChart:
    """A chart in a box of `height` pixels."""

    height: int
    bars: tuple[Bar, ...]
    lines: tuple[Mark, ...]
    days: tuple[Mark, ...]


def bar_chart(values: Sequence[tuple[str, int]]) -> BarChart:
    """Lay out a chart of (label, value), left to right. No value is below zero."""
    top = scale_top(max((value for _, value in values), default=0))
    slots = max(_SLOTS_MIN, len(values))
    step = 100 / slots
    width = step * (1 - _GAP_SHARE)
    bars = tuple(
        _bar(label, value, x=index * step + (step - width) / 2, width=width, top=top)
        for index, (label, value) in enumerate(values)
    )
    every = ceil(slots / _LABELS_MAX)
    first = min(every // 2, max(0, len(values) - 1))
    return BarChart(
        height=_HEIGHT_PX,
        bars=bars,
        lines=tuple(Mark(f"{value:,}", _HEIGHT_PX * (1 - value / top)) for value in _lines(top)),
        days=tuple(Mark(bar.label, bar.x + bar.width / 2) for bar in bars[first::every]),
    )


def scale_top(most: int) -> int:
    """Choose the least round number at or above the largest value, and at least _LEAST_TOP."""
    power: int = 10 ** (len(str(most)) - 1)
    return next(top * power for top in _TOPS if top * power >= max(most, _LEAST_TOP))


def _lines(top: int) -> tuple[int, ...]:
    return (top, top // 2, 0) if top % 2 == 0 else (top, 0)


def _bar(label: str, value: int, *, x: float, width: float, top: int) -> Bar:
    height = _HEIGHT_PX * value / top
    if value:
        height = max(height, 2.0)  # a single call on a busy chart is still seen
    return Bar(label, value, round(x, 3), round(width, 3), round(_HEIGHT_PX - height, 1), height)
