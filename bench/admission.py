"""The ledger's decision beside the simplest script that takes a credit.

The promised figure is taken by the server's own benchmark tool with its defaults: 50 connections,
each with one command under way, which is how the gate calls too. Where the tool is missing an
equal loop takes its place.

Three more figures are shown for what they tell. The commands of a decision without its logic are
what any script that keeps the books as ours does must at least take. With many commands under way
on each connection sockets cost next to nothing, and what the scripts themselves take is left. And
from redis-py in one loop it is mostly Python that is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis import Redis

from bench.command_loops import CONNECTIONS, RANDOM, RUN, Command, best_loop
from bench.figures import Comparison, Figure
from bench.rounds import Effort, InvalidRound, Progress
from gatekeeper.domain.account import MAX_CREDITS, NewAccount, new_account_id
from gatekeeper.domain.call import CallId
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stack import ACCOUNT_SID
from gatekeeper.sandbox.valkey import EmbeddedValkey

#: Runs something so many times; returns how many a second.
Run = Callable[[int], float]

_DECREMENT: Final = "return redis.call('DECR', KEYS[1])"
#: What admit_call sends for a call that is answered, without the logic around it.
_BARE_COMMANDS: Final = """
redis.call('GET', KEYS[9])
redis.call('HMGET', KEYS[1], 'purchased', 'allotment', 'suspended', 'topoff_on', 'threshold',
  'topoff_amount', 'overdraft_limit', 'topoff', 'topoff_state', 'blocked_by', 'retry_at_ms',
  'cycle_no', 'custom', 'low_told', 'drop_told', 'cycle_end_ms', 'capped')
redis.call('HINCRBY', KEYS[1], 'allotment', '-1')
local record = 'oAala1 999999 0 0 50 200 200 - - 0 1 1763812800000'
redis.call('SET', KEYS[9], record, 'EX', ARGV[7])
redis.call('XADD', KEYS[3], '*', 'at_ms', ARGV[2], 'account', ARGV[1], 'type', 'call_debited',
  'allotment_delta', '-1', 'purchased_delta', '0', 'allotment', '999998', 'purchased', '0',
  'ref', ARGV[5], 'cause', 'allotment', 'number', ARGV[6], 'detail', record,
  'direction', ARGV[8])
return { 'decided', record, 999998, 0, '', '' }
"""
_COUNTER: Final = "simplest-decrement"
_NUMBER: Final = "+15550001111"
_MANY_AT_ONCE: Final = 16
#: Random CallSids may come twice, and the second time nothing is charged.
_REPEATED_MAX: Final = 0.001
_TURN: Final = CONNECTIONS * _MANY_AT_ONCE
#: Rewriting the append-only file would burden one side or the other by chance.
_NO_REWRITES: Final = ("--auto-aof-rewrite-percentage", "0")


def measure_admission(directory: Path, effort: Effort, progress: Progress) -> list[Figure]:
    """Measure on a server of its own. Raises InvalidRound."""
    with _desk(directory) as (port, desk):
        loop, how = best_loop(port, desk.client)
        admit, decrease = desk.admit_command(), desk.decrease_command()
        bare = ["EVALSHA", desk.client.script_load(_BARE_COMMANDS), *admit[2:]]

        def by_loop(command: Command, depth: int = 1) -> Run:
            return lambda count: loop(command, count, depth)

        progress(f"admit_call, by {how}")
        meter = _Meter(desk, effort)
        return [
            meter.compare(
                f"admit_call, by {how}", by_loop(admit), by_loop(decrease), ratio_wanted=0.5
            ),
            meter.compare("its commands, without its logic", by_loop(bare), by_loop(decrease)),
            meter.compare(
                f"admit_call, {_MANY_AT_ONCE} under way on each connection",
                by_loop(admit, _MANY_AT_ONCE),
                by_loop(decrease, _MANY_AT_ONCE),
            ),
            meter.compare(
                "admit_call, one after the other from Python",
                _timed(desk.admit),
                _timed(desk.decrease),
            ),
        ]


class _Desk:
    """One account, and both scripts: from Python and as commands."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._ledger = Ledger(client)
        self._account_id = new_account_id()
        self._ledger.accounts.open_account(
            NewAccount(self._account_id, "Practice", "owner@example.com", allotment=MAX_CREDITS)
        )
        self._decrement = client.register_script(_DECREMENT)
        self._calls = 0

    def admit(self) -> None:
        """Admit a new call."""
        self._calls += 1
        self._ledger.calls.admit_call(self._account_id, self._call(), _NUMBER)

    def decrease(self) -> None:
        """Run the simplest script."""
        self._decrement(keys=[_COUNTER])

    def admit_command(self) -> Command:
        """Return the command that admits a new call, with a random CallSid."""
        command = self._overhear(self.admit)
        digits = self._call().call_sid[2:]
        random_digits = digits[: -len(RUN + RANDOM)] + RUN + RANDOM
        return [word.replace(digits, random_digits) for word in command]

    def decrease_command(self) -> Command:
        """Return the command that runs the simplest script."""
        return self._overhear(self.decrease)

    def _overhear(self, run: Callable[[], None]) -> Command:
        """Run a script, and return the command as the server got it."""
        run()  # loads the script
        with self.client.monitor() as monitor:  # type: ignore[no-untyped-call]  # redis-py
            run()
            heard = ""
            while not heard.startswith("EVALSHA"):
                heard = str(monitor.next_command()["command"])
        return heard.split(" ")

    def charged(self) -> int:
        """Read how many credits were taken so far."""
        return MAX_CREDITS - self._ledger.accounts.account(self._account_id).balance

    def _call(self) -> CallId:
        return CallId(ACCOUNT_SID, f"CA{self._calls:032x}")


@contextmanager
def _desk(directory: Path) -> Iterator[tuple[int, _Desk]]:
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedValkey(directory, extra_args=_NO_REWRITES))
        client = stack.enter_context(connect(server.url, timeout_s=10, max_connections=3))
        yield server.port, _Desk(client)


@dataclass(frozen=True, slots=True)
class _Meter:
    """Measures two things in turn, and checks that each admitted call was charged."""

    desk: _Desk
    effort: Effort

    def compare(
        self, name: str, admit: Run, decrease: Run, ratio_wanted: float | None = None
    ) -> Comparison:
        ours: list[float] = []
        others: list[float] = []
        admit_per_s, decrease_per_s = admit(_TURN), decrease(_TURN)
        for _ in range(self.effort.rounds):
            calls = _whole_turns(admit_per_s * self.effort.seconds)
            charged_before = self.desk.charged()
            admit_per_s = admit(calls)
            _check(calls, self.desk.charged() - charged_before)
            decrease_per_s = decrease(_whole_turns(decrease_per_s * self.effort.seconds))
            ours.append(admit_per_s)
            others.append(decrease_per_s)
        return Comparison(name, "a Lua DECR", "1/s", ours, others, ratio_wanted)


def _whole_turns(calls: float) -> int:
    """Round to what every connection can take its equal part in."""
    return _TURN * max(1, round(calls / _TURN))


def _check(calls: int, charged: int) -> None:
    if not calls * (1 - _REPEATED_MAX) - 1 <= charged <= calls:
        raise InvalidRound(f"{calls} calls were admitted and {charged} charged")


def _timed(once: Callable[[], None]) -> Run:
    def run(count: int) -> float:
        started_s = time.perf_counter()
        for _ in range(count):
            once()
        return count / (time.perf_counter() - started_s)

    return run
