"""Calls at a rate against a running gate, then the ledger held against what the callers saw."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from gatekeeper.domain.call import Decision
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.caller import (
    Answered,
    CallResult,
    Dropped,
    TerminalStatus,
    TwilioCaller,
)

#: Out of a hundred calls: so many are sent twice, hung up before they were answered, or reported
#: ended twice. Twilio does all of these now and then. And so many go out.
_TWICE, _TOO_EARLY, _ENDED_TWICE, _OUTBOUND = 10, 5, 5, 20
_THREADS = 32
_SOMEBODY = "+15550200200"


@dataclass(frozen=True, slots=True)
class Line:
    """A number that is called, or calls, and the account that pays."""

    number: str
    account_id: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that was made, and whether its caller hung up before it was answered."""

    result: CallResult
    too_early: bool


@dataclass(slots=True)
class Report:
    """What the callers saw, and where the ledger disagrees."""

    calls: int = 0
    answered: int = 0
    dropped: int = 0
    failed: int = 0
    slowest_ms: float = 0.0
    differences: list[str] = field(default_factory=list)


def simulate(
    caller: TwilioCaller,
    lines: Sequence[Line],
    *,
    calls: int,
    rate_per_s: float,
    seed: int,
    on_call: Callable[[], object],
) -> list[Placed]:
    """Make calls at a steady rate, to lines at random, and some from them.

    `on_call` is told of each that ended.
    """
    chance = random.Random(seed)  # noqa: S311 - a mixture of calls, not a secret
    placed: list[Placed] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        started = [
            pool.submit(_call, caller, chance.choice(lines), chance.randrange(100))
            for _ in _paced(calls, rate_per_s)
        ]
        ended: Future[Placed]
        for ended in as_completed(started):
            placed.append(ended.result())
            on_call()
    return placed


def _paced(count: int, rate_per_s: float) -> Iterator[int]:
    begin = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, begin + number / rate_per_s - time.monotonic()))
        yield number


def _call(caller: TwilioCaller, line: Line, chance: int) -> Placed:
    too_early = _TWICE <= chance < _TWICE + _TOO_EARLY
    ended_twice = _TWICE + _TOO_EARLY <= chance < _TWICE + _TOO_EARLY + _ENDED_TWICE
    is_outbound = chance >= 100 - _OUTBOUND
    end: TerminalStatus = "no-answer" if too_early else "completed"
    result = caller.call(
        to=_SOMEBODY if is_outbound else line.number,
        from_=line.number if is_outbound else _SOMEBODY,
        direction="outbound-api" if is_outbound else "inbound",
        end=end,
        duplicates=int(chance < _TWICE),
        concurrently=True,
        status_copies=2 if ended_twice else 1,
    )
    return Placed(result, too_early)


def compare(placed: Sequence[Placed], lines: Sequence[Line], ledger: Ledger) -> Report:
    """Hold every call against the log: decided once, as the caller heard, settled as it ended."""
    report = Report(calls=len(placed))
    entries = _entries_by_call(ledger, {line.account_id for line in lines})
    for one in placed:
        result = one.result
        report.answered += isinstance(result.outcome, Answered)
        report.dropped += isinstance(result.outcome, Dropped)
        report.failed += not isinstance(result.outcome, Answered | Dropped)
        slowest_s = max(exchange.elapsed_s for exchange in result.exchanges)
        report.slowest_ms = max(report.slowest_ms, slowest_s * 1000)
        found = entries.get(result.call.call_sid, [])
        report.differences += _differences(one, found)
    return report


def _entries_by_call(ledger: Ledger, account_ids: set[str]) -> dict[str, list[Entry]]:
    by_call: dict[str, list[Entry]] = {}
    for shard in {ledger.keys.shard_of(account_id) for account_id in account_ids}:
        for entry in ledger.log.shard_entries(shard):
            by_call.setdefault(entry.ref, []).append(entry)
    return by_call


def _differences(placed: Placed, entries: Sequence[Entry]) -> list[str]:
    result = placed.result
    kinds = Counter(entry.type for entry in entries)
    net = -sum(entry.allotment_delta + entry.purchased_delta for entry in entries)
    sid = result.call.call_sid
    if not result.consistent:
        return [f"{sid}: repeats were answered otherwise"]
    match result.outcome:
        case Answered():
            decision, must_cost = Decision.ANSWER, int(not placed.too_early)
        case Dropped():
            decision, must_cost = Decision.DROP, 0
        case other:
            return [f"{sid}: {other}"]
    decided = kinds[EntryType.CALL_DEBITED] + kinds[EntryType.CALL_DROPPED]
    found = []
    if decided != 1:
        found.append(f"{sid}: heard {decision}, decided {decided} times in the log")
    if net != must_cost:
        found.append(f"{sid}: heard {decision}, cost {net} credits instead of {must_cost}")
    return found
