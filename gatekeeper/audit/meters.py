"""Whether every reading of one account's meters in SQL is what its calls there come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import add, itemgetter
from typing import Final

from gatekeeper.history.call import Outcome
from gatekeeper.history.meter import QUARTER_MS
from gatekeeper.history.replay import Row
from gatekeeper.history.tables import ALL_NUMBERS

#: Calls by outcome, in the order of outcomes.
_Counts = tuple[int, ...]
_NONE: Final = (0,) * len(Outcome)
_PLACES: Final = {outcome.value: place for place, outcome in enumerate(Outcome)}


class MetersAudit:
    """Counts calls, and holds the meters against the counts."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, int, str]] = Counter()

    def count(self, number: str, started_at_ms: int, outcome: str) -> None:
        """Take in a call."""
        self._calls[number, started_at_ms // QUARTER_MS, outcome] += 1

    def differences(self, readings: Iterable[Row]) -> Iterator[str]:
        """Name the meters that differ, one line each, given the account's rows of all readings."""
        moves = self._moves()
        for number, rows in groupby(readings, itemgetter(1)):
            shown = {quarter: tuple(counts) for _, _, quarter, *counts in rows}
            yield from _differences(number, moves.pop(number, {}), shown)
        for number in sorted(moves):
            yield from _differences(number, moves[number], {})

    def _moves(self) -> dict[str, dict[int, _Counts]]:
        """Sum up by how much each meter moved in which quarters of an hour."""
        sums: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(lambda: [*_NONE]))
        for (number, quarter, outcome), calls in self._calls.items():
            if (place := _PLACES.get(outcome)) is not None:
                sums[number][quarter][place] += calls
                sums[ALL_NUMBERS][quarter][place] += calls
        return {
            number: {quarter: tuple(counts) for quarter, counts in by_quarter.items()}
            for number, by_quarter in sums.items()
        }


def _differences(
    number: str, moves: Mapping[int, _Counts], shown: Mapping[int, _Counts]
) -> Iterator[str]:
    """Name the first reading that differs, and tell how many do: one call too many shows in all."""
    first, differing, so_far = "", 0, _NONE
    for quarter in sorted(moves.keys() | shown.keys()):
        so_far = tuple(map(add, so_far, moves.get(quarter, _NONE)))
        if quarter not in moves or shown.get(quarter) != so_far:
            first = first or _difference(quarter, shown.get(quarter), so_far)
            differing += 1
    if differing:
        whose = "all its numbers" if number == ALL_NUMBERS else number
        more = f"; {differing - 1} later readings differ too" if differing > 1 else ""
        yield f"the meter of {whose} {first}{more}"


def _difference(quarter: int, shown: _Counts | None, so_far: _Counts) -> str:
    if shown is None:
        return f"has no reading for quarter {quarter}, but there had been {_told(so_far)} by then"
    if shown == so_far:
        return f"has a reading for quarter {quarter}, in which no call began"
    return f"shows {_told(shown)} for quarter {quarter}, but there had been {_told(so_far)} by then"


def _told(counts: _Counts) -> str:
    by_outcome = zip(Outcome, counts, strict=True)
    told = ", ".join(f"{count} {outcome}" for outcome, count in by_outcome if count)
    return f"{sum(counts)} calls ({told or 'none'})"
