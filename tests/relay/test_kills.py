"""Relays killed with SIGKILL at any line lose nothing and enqueue nothing twice."""

from __future__ import annotations

import contextlib
import multiprocessing
import random
import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerProcess

import pytest
from redis import Redis

from gatekeeper.jobs import job_id
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.relay.conftest import Queues, owe_charge, owed_tasks, tries_of
from tests.relay.run_relay import run_relay

RELAYS = 3
KILLS = 40
TASKS_A_KILL = 6
LEASE_S = 0.5

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.relay.run_relay"])


class Relays:
    """Relay processes; whichever is killed is replaced."""

    def __init__(self, url: str, shards: int, count: int) -> None:
        self._arguments = (url, shards, LEASE_S)
        self.processes = [self._start() for _ in range(count)]

    def _start(self) -> ForkServerProcess:
        process = _context.Process(target=run_relay, args=self._arguments, daemon=True)
        process.start()
        return process

    def kill(self, index: int) -> None:
        self.processes[index].kill()
        self.processes[index].join()

    def replace(self, index: int) -> None:
        self.kill(index)
        self.processes[index] = self._start()

    def __enter__(self) -> Relays:
        return self

    def __exit__(self, *_: object) -> None:
        for index in range(len(self.processes)):
            self.kill(index)


@pytest.fixture(params=[1, 16], ids=["1-shard", "16-shards"])
def ledger(request: pytest.FixtureRequest, valkey: EmbeddedValkey) -> Iterator[Ledger]:
    """An empty ledger in real time."""
    with contextlib.closing(connect(valkey.url, timeout_s=10, max_connections=8)) as client:
        client.flushall()
        yield Ledger(client, shards=request.param)


def test_relays_killed_at_random_enqueue_every_task_once(
    ledger: Ledger, valkey: EmbeddedValkey, queue_redis: Redis
) -> None:
    dice = random.Random()
    queues = Queues(queue_redis)
    tasks: list[str] = []
    with Relays(valkey.url, ledger.owed.shards, RELAYS) as relays:
        for _ in range(KILLS):
            # Each debit wakes every relay; a few milliseconds later one is in the midst of it.
            tasks += [owe_charge(ledger) for _ in range(TASKS_A_KILL)]
            time.sleep(dice.uniform(0, 0.01))
            relays.replace(dice.randrange(RELAYS))
    with Relays(valkey.url, ledger.owed.shards, 1):
        wait_until(lambda: all(tries_of(ledger, task) for task in tasks))

    # No worker took a job, so one each is all there may be.
    assert sorted(queues.job_ids) == sorted(job_id(task, 1) for task in tasks)
    assert {tries_of(ledger, task) for task in tasks} == {1}
    assert set(owed_tasks(ledger)) == set(tasks)
