"""Copying processes killed with SIGKILL at any line: SQL equals the log, entry for entry."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from multiprocessing.context import ForkServerProcess

from sqlalchemy import Engine

from gatekeeper.history.directory import accounts_page
from gatekeeper.history.lag import read_lag
from gatekeeper.history.meter import Usage
from gatekeeper.history.usage import usage_by_outcome
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.history.copies import append_calls, log_of, open_accounts, stored
from tests.history.run_copy import run_copy

KILLS = 50
ENTRIES = 20_000
ACCOUNTS = 20
PROCESSES = 2
FAR_MS = 10**14

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.history.run_copy", "psycopg", "sqlite3"])


class Copies:
    """Copying processes; whichever is killed is replaced."""

    def __init__(self, redis_url: str, shards: int, database_url: str) -> None:
        self._arguments = (redis_url, shards, database_url)
        self._processes = [self._start() for _ in range(PROCESSES)]

    def _start(self) -> ForkServerProcess:
        process = _context.Process(target=run_copy, args=self._arguments, daemon=True)
        process.start()
        return process

    def replace(self, index: int) -> None:
        self._kill(index)
        self._processes[index] = self._start()

    def _kill(self, index: int) -> None:
        assert self._processes[index].is_alive(), "it ended by itself"
        self._processes[index].kill()
        self._processes[index].join()

    def __enter__(self) -> Copies:
        return self

    def __exit__(self, *_: object) -> None:
        for index in range(PROCESSES):
            self._kill(index)


def test_copies_killed_at_random_lose_nothing_and_store_nothing_twice(
    running_ledger: Ledger, valkey: EmbeddedValkey, engine: Engine, database_url: str
) -> None:
    dice = random.Random()
    accounts = open_accounts(running_ledger, ACCOUNTS)
    calls = ENTRIES // 2
    portion = calls // KILLS
    with Copies(valkey.url, running_ledger.keys.shards, database_url) as copies:
        # The ledger, which does not know of the calls below, is asked about accounts not listed.
        wait_until(lambda: len(accounts_page(engine).items) == ACCOUNTS)
        for kill in range(KILLS):
            append_calls(running_ledger, accounts, range(kill * portion, (kill + 1) * portion))
            time.sleep(dice.uniform(0, 0.05))
            copies.replace(dice.randrange(PROCESSES))
        log = log_of(running_ledger)
        assert len(log) == ENTRIES + ACCOUNTS
        wait_until(lambda: read_lag(running_ledger).entries == 0)
    assert stored(running_ledger, engine) == log
    assert _usage(engine, accounts) == _expected(calls)
    last = {entry.account_id: entry for entry in log}
    listed = {one.account_id: one.balance for one in accounts_page(engine).items}
    assert listed == {one.account_id: one.allotment + one.purchased for one in last.values()}


def _usage(engine: Engine, accounts: list[str]) -> Usage:
    total = Usage()
    for account_id in accounts:
        total += usage_by_outcome(engine, account_id, 0, FAR_MS)
    return total


def _expected(calls: int) -> Usage:
    durations = Counter(number % 20 for number in range(calls))
    hung_up = sum(count for duration_s, count in durations.items() if duration_s < 5)
    return Usage(conversation=calls - hung_up, hung_up=hung_up)
