"""Redis servers that stop, stall or fill up: nothing is lost, and the log says so once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
import redis
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from structlog.testing import capture_logs

from gatekeeper.jobs import job_id
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import Relay
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.relay.conftest import Queues, owe_charge, running

Logs = list[MutableMapping[str, Any]]


class Place:
    """A ledger and RQ's queues, each on a server of its own."""

    def __init__(self, ledger_server: EmbeddedValkey, queue_server: EmbeddedValkey) -> None:
        self.ledger_server = ledger_server
        self.queue_server = queue_server
        self.ledger = self.make_ledger()
        self.queue_redis = Redis.from_url(
            queue_server.url, socket_timeout=0.3, retry=Retry(NoBackoff(), 0)
        )
        self.queues = Queues(self.queue_redis)
        # A client of its own: what the tests do with a lost server is not the relay's business.
        self.relay = Relay(self.make_ledger(), self.queue_redis, lease_s=0.5, look_interval_s=0.1)

    def make_ledger(self) -> Ledger:
        client = connect(self.ledger_server.url, timeout_s=0.3, max_connections=4)
        return Ledger(client, shards=4)

    def owe(self) -> str:
        """Owe a charge; returns the id of the job it must get."""
        return job_id(owe_charge(self.ledger), 1)

    def has_enqueued(self, *jobs: str) -> bool:
        with contextlib.suppress(redis.RedisError):
            return sorted(self.queues.job_ids) == sorted(jobs)
        return False


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with (
        EmbeddedValkey(tmp_path / "ledger") as ledger_server,
        EmbeddedValkey(tmp_path / "queues") as queue_server,
    ):
        yield Place(ledger_server, queue_server)


def events(logs: Logs) -> list[tuple[str, str]]:
    """The outages in the log, in order: what happened, and to which Redis."""
    return [
        (line["event"], line["redis"]) for line in logs if str(line["event"]).startswith("redis_")
    ]


def outage_of(name: str) -> list[tuple[str, str]]:
    return [("redis_lost", name), ("redis_recovered", name)]


def test_the_queues_server_stops_and_starts_again(place: Place) -> None:
    with capture_logs() as logs, running(place.relay):
        first = place.owe()
        wait_until(lambda: place.has_enqueued(first))
        place.queue_server.stop()
        others = [place.owe() for _ in range(5)]
        wait_until(lambda: events(logs) == [("redis_lost", "queues")])
        others += [place.owe() for _ in range(5)]
        place.queue_server.start()
        wait_until(lambda: place.has_enqueued(first, *others))
        wait_until(lambda: events(logs) == outage_of("queues"))


def test_nothing_is_claimed_while_the_queues_are_known_to_be_lost(place: Place) -> None:
    place.queue_server.stop()
    place.owe()
    with pytest.raises(redis.ConnectionError):
        place.relay.drain_once()
    later = owe_charge(place.ledger)
    due_ms = _due_ms(place.ledger, later)
    with pytest.raises(redis.ConnectionError):
        place.relay.drain_once()
    assert _due_ms(place.ledger, later) == due_ms


def _due_ms(ledger: Ledger, task: str) -> int:
    shards = range(ledger.owed.shards)
    return next(
        due_ms for shard in shards for owed, due_ms in ledger.owed.tasks(shard) if owed == task
    )


def test_the_queues_server_is_full(place: Place) -> None:
    """It answers what reads and refuses what writes."""
    with capture_logs() as logs, running(place.relay):
        place.queue_redis.config_set("maxmemory", "1")
        job = place.owe()
        wait_until(lambda: events(logs) == [("redis_lost", "queues")])
        place.queue_redis.config_set("maxmemory", "0")
        wait_until(lambda: place.has_enqueued(job))
    assert events(logs) == outage_of("queues")
    assert "OutOfMemoryError" in logs[0]["error"]


def test_the_ledgers_server_is_killed_and_starts_again(place: Place) -> None:
    with capture_logs() as logs, running(place.relay):
        first = place.owe()
        wait_until(lambda: place.has_enqueued(first))
        place.ledger_server.kill()
        wait_until(lambda: events(logs) == [("redis_lost", "ledger")])
        place.ledger_server.start()
        second = place.owe()
        wait_until(lambda: place.has_enqueued(first, second))
        wait_until(lambda: events(logs) == outage_of("ledger"))


def test_the_ledgers_server_stalls_and_goes_on(place: Place) -> None:
    first = place.owe()
    with capture_logs() as logs, running(place.relay):
        wait_until(lambda: place.has_enqueued(first))
        place.ledger_server.pause()
        wait_until(lambda: events(logs) == [("redis_lost", "ledger")])
        place.ledger_server.resume()
        second = place.owe()
        wait_until(lambda: place.has_enqueued(first, second))
        wait_until(lambda: events(logs) == outage_of("ledger"))


def test_it_starts_before_either_server(place: Place) -> None:
    place.ledger_server.stop()
    place.queue_server.stop()
    with capture_logs() as logs, running(place.relay):
        wait_until(lambda: events(logs) == [("redis_lost", "ledger")])
        place.queue_server.start()
        place.ledger_server.start()
        job = place.owe()
        wait_until(lambda: place.has_enqueued(job))


def test_it_stops_while_both_servers_are_lost(place: Place) -> None:
    place.ledger_server.stop()
    place.queue_server.stop()
    with capture_logs() as logs, running(place.relay):
        wait_until(lambda: events(logs))
