"""Relays on real queues, and customers who owe them work."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from gatekeeper.domain.account import NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import CallId
from gatekeeper.jobs import QUEUES
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import Relay
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import MovableClock

LEASE_S = 15.0
TOPOFF = TopoffSettings(enabled=True, threshold=5, amount=10)


def owe_charge(ledger: Ledger) -> str:
    """Open an account that is below its threshold at once; returns the task it owes."""
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "able@example.com"))
    return f"charge:{ledger.accounts.set_topoff(account_id, TOPOFF)}"


def owe_email(ledger: Ledger) -> str:
    """Open an account and drop a call of it, which it is told of; returns its id."""
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "able@example.com"))
    call = CallId("AC" + "1" * 32, f"CA{secrets.token_hex(16)}")
    ledger.calls.admit_call(account_id, call, "+15550001111")
    return account_id


def tries_of(ledger: Ledger, task: str) -> int:
    """How often the ledger has noted that the task was enqueued."""
    for shard in range(ledger.owed.shards):
        kept = ledger.client.hget(ledger.keys.tries(shard), task)
        if kept is not None:
            return int(str(kept).split(" ")[0])
    return 0


def owed_tasks(ledger: Ledger) -> dict[str, int]:
    """Everything owed, with its due time in ms."""
    return {
        task: due_ms
        for shard in range(ledger.owed.shards)
        for task, due_ms in ledger.owed.tasks(shard)
    }


class Queues:
    """RQ's queues by name, as the workers see them."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._by_name = {
            name: Queue(name, connection=client, serializer=JSONSerializer) for name in QUEUES
        }

    def __getitem__(self, name: str) -> Queue:
        return self._by_name[name]

    @property
    def job_ids(self) -> list[str]:
        return [job_id for queue in self._by_name.values() for job_id in queue.job_ids]


@pytest.fixture
def queue_redis(valkey: EmbeddedValkey) -> Iterator[Redis]:
    with Redis.from_url(valkey.url, socket_timeout=10) as client:
        yield client


@pytest.fixture
def queues(queue_redis: Redis, ledger: Ledger) -> Queues:
    """The queues on the server that the ledger's fixture has emptied."""
    return Queues(queue_redis)


@pytest.fixture
def relay(ledger: Ledger, queue_redis: Redis, clock: MovableClock) -> Relay:
    return Relay(ledger, queue_redis, lease_s=LEASE_S, clock=clock)


@pytest.fixture
def running_ledger(valkey: EmbeddedValkey) -> Iterator[Ledger]:
    """An empty ledger in real time."""
    with contextlib.closing(connect(valkey.url, timeout_s=5, max_connections=8)) as client:
        client.flushall()
        yield Ledger(client, shards=16)


@contextmanager
def running(relay: Relay) -> Iterator[threading.Event]:
    """Run the relay in a thread of its own; gives the event that stops it."""
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive(), "the relay did not stop"
