"""What history's queries take for an account with very many calls, beside one with few.

Both accounts' calls are spread over the same year and lie in the same tables. A query is asked
about the two in turn. Its time has everything in it that a page waits for, from the engine's pool
to the objects that are returned; every answer must be of the expected length.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from bench.databases import Database
from bench.figures import Comparison
from bench.rounds import Effort, InvalidRound, Progress
from bench.years import BEGIN_MS, END_MS, NUMBERS, Year, check, fill
from gatekeeper.domain.account import new_account_id
from gatekeeper.domain.call import Reason
from gatekeeper.history.call import Outcome
from gatekeeper.history.queries import (
    ALL_CALLS,
    CallFilter,
    Page,
    balance_at,
    calls_page,
    entries_page,
    find_calls,
)
from gatekeeper.history.usage import usage_by_day, usage_by_number, usage_by_outcome

#: Enough for every page to be full.
FEW_CALLS: Final = 1000
_PAGE_LIMIT: Final = 50
_RATIO_MOST_WANTED: Final = 1.5
_ZONE: Final = ZoneInfo("Europe/Berlin")
#: Parts of the year at which queries look in turn, so that they do not find all in one place.
_PLACES: Final = tuple(0.1 + n * 0.37 % 0.9 for n in range(50))
_REPEATS_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class _Look:
    """What a query is asked about: an account, an instant in its year, a call that began then."""

    account_id: str
    at_ms: int
    call_sid: str


@dataclass(frozen=True, slots=True)
class _Query:
    """`ask` returns how much an answer tells of, and `expected` how much it must."""

    name: str
    ask: Callable[[Engine, _Look], int]
    expected: Callable[[Year], int]


def _page(name: str, ask: Callable[[Engine, _Look], Page[Any]]) -> _Query:
    return _Query(name, lambda engine, look: len(ask(engine, look).items), lambda _: _PAGE_LIMIT)


def _calls(name: str, chosen: CallFilter) -> _Query:
    return _page(
        name,
        lambda engine, look: calls_page(engine, look.account_id, chosen=chosen, limit=_PAGE_LIMIT),
    )


def _usage(name: str, ask: Callable[[Engine, _Look], int]) -> _Query:
    return _Query(name, ask, lambda year: year.calls)


def _one(name: str, ask: Callable[[Engine, _Look], object | None]) -> _Query:
    return _Query(name, lambda engine, look: int(ask(engine, look) is not None), lambda _: 1)


_QUERIES: Final = (
    _page(
        "entries, the newest",
        lambda engine, look: entries_page(engine, look.account_id, limit=_PAGE_LIMIT),
    ),
    _page(
        "entries, a later page",
        lambda engine, look: entries_page(
            engine, look.account_id, after=f"{look.at_ms}-0", limit=_PAGE_LIMIT
        ),
    ),
    _calls("calls, the newest", ALL_CALLS),
    _page(
        "calls, a later page",
        lambda engine, look: calls_page(
            engine, look.account_id, after=f"{look.at_ms}-{look.call_sid}", limit=_PAGE_LIMIT
        ),
    ),
    _calls("calls of a number", CallFilter(number=NUMBERS[0])),
    _calls("calls of an outcome", CallFilter(outcome=Outcome.DROPPED)),
    _calls("calls of a reason", CallFilter(reason=Reason.PURCHASED)),
    _calls(
        "calls of all three",
        CallFilter(number=NUMBERS[0], outcome=Outcome.CONVERSATION, reason=Reason.ALLOTMENT),
    ),
    _usage(
        "a year's usage by day",
        lambda engine, look: sum(
            day.usage.calls
            for day in usage_by_day(engine, look.account_id, _ZONE, BEGIN_MS, END_MS)
        ),
    ),
    _usage(
        "a year's usage by number",
        lambda engine, look: sum(
            number.usage.calls
            for number in usage_by_number(engine, look.account_id, BEGIN_MS, END_MS)
        ),
    ),
    _usage(
        "a year's usage by outcome",
        lambda engine, look: usage_by_outcome(engine, look.account_id, BEGIN_MS, END_MS).calls,
    ),
    _one(
        "the balance at an instant",
        lambda engine, look: balance_at(engine, look.account_id, look.at_ms),
    ),
    _one("one call by its CallSid", lambda engine, look: find_calls(engine, look.call_sid)),
)


def measure_pages(
    databases: Sequence[Database], effort: Effort, many_calls: int, progress: Progress
) -> list[Comparison]:
    """Measure every query on every database. Raises InvalidRound."""
    many, few = Year(new_account_id(), many_calls), Year(new_account_id(), FEW_CALLS)
    progress(f"inserting {many.calls:,} calls of one account and {few.calls:,} of another")
    with _filled(databases, many, few) as engines:
        contests = [
            _Contest(f"{database.name}, {query.name}", query, engine, many, few)
            for database, engine in zip(databases, engines, strict=True)
            for query in _QUERIES
        ]
        for number in range(1, effort.rounds + 1):
            progress(f"queries, round {number}")
            for contest in contests:
                contest.run(effort.seconds)
    return [contest.figure() for contest in contests]


@contextmanager
def _filled(databases: Sequence[Database], many: Year, few: Year) -> Iterator[list[Engine]]:
    with ExitStack() as stack:
        histories = [stack.enter_context(each.empty_history()) for each in databases]
        fill(histories, [many, few])
        for database, history in zip(databases, histories, strict=True):
            check(database, history, few)
        yield [history.engine for history in histories]


class _Contest:
    """One query on one database, for both accounts. Times are milliseconds."""

    def __init__(self, name: str, query: _Query, engine: Engine, many: Year, few: Year) -> None:
        self._name = name
        self._query = query
        self._engine = engine
        self._many = many
        self._few = few
        self._many_ms: list[float] = []
        self._few_ms: list[float] = []

    def run(self, seconds: float) -> None:
        """Ask in turn for so many seconds, and keep the medians. Raises InvalidRound."""
        many_ms: list[float] = []
        few_ms: list[float] = []
        end_s = time.perf_counter() + seconds
        for many_look, few_look in cycle(zip(_looks(self._many), _looks(self._few), strict=True)):
            many_ms.append(self._timed_ms(self._many, many_look))
            few_ms.append(self._timed_ms(self._few, few_look))
            if time.perf_counter() > end_s and len(few_ms) >= _REPEATS_MIN:
                break
        self._many_ms.append(median(many_ms))
        self._few_ms.append(median(few_ms))

    def figure(self) -> Comparison:
        """Compare the medians of the rounds."""
        other_name = f"{self._few.calls:,} calls"
        return Comparison(
            self._name,
            other_name,
            "ms",
            self._many_ms,
            self._few_ms,
            ratio_most_wanted=_RATIO_MOST_WANTED,
        )

    def _timed_ms(self, year: Year, look: _Look) -> float:
        started_s = time.perf_counter()
        told = self._query.ask(self._engine, look)
        elapsed_s = time.perf_counter() - started_s
        if told != self._query.expected(year):
            raise InvalidRound(f"{self._name}: {told} instead of {self._query.expected(year)}")
        return 1000 * elapsed_s


def _looks(year: Year) -> Iterator[_Look]:
    for place in _PLACES:
        n = int(place * year.calls)
        yield _Look(year.account_id, year.began_at_ms(n), year.call_sid(n))
