"""What on-call watches: the owed work and RQ's queues in numbers."""

from __future__ import annotations

from redis import Redis
from rq.registry import FailedJobRegistry

from gatekeeper.backlog import owed_gauges, queue_gauges
from gatekeeper.jobs import QUEUES, argument_of
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import Relay
from tests.conftest import MovableClock
from tests.relay.conftest import LEASE_S, TOPOFF, Queues, owe_charge, owe_email

NOTHING = {
    "gatekeeper_owed_tasks": 0,
    "gatekeeper_owed_oldest_seconds": 0,
    "gatekeeper_owed_oldest_email_seconds": 0,
    **{
        f"gatekeeper_{state}_jobs_{queue}": 0
        for state in ("queued", "intermediate", "failed")
        for queue in QUEUES
    },
}


def _read(ledger: Ledger, queue_redis: Redis, clock: MovableClock) -> dict[str, float]:
    return owed_gauges(ledger, clock=clock) | queue_gauges(queue_redis, QUEUES)


def test_an_empty_deployment_has_every_gauge_at_zero(
    ledger: Ledger, queue_redis: Redis, clock: MovableClock
) -> None:
    assert _read(ledger, queue_redis, clock) == NOTHING


def test_owed_work_grows_old_whatever_is_tried(
    ledger: Ledger, relay: Relay, queue_redis: Redis, clock: MovableClock
) -> None:
    owed = [owe_charge(ledger)]
    clock.advance(s=2.5)
    owed.append(owe_charge(ledger))
    assert _read(ledger, queue_redis, clock) == NOTHING | {
        "gatekeeper_owed_tasks": 2,
        "gatekeeper_owed_oldest_seconds": 2.5,
    }
    relay.drain_once()
    clock.advance(s=LEASE_S)
    relay.drain_once()
    assert _read(ledger, queue_redis, clock) == NOTHING | {
        "gatekeeper_owed_tasks": 2,
        "gatekeeper_owed_oldest_seconds": 2.5 + LEASE_S,
        "gatekeeper_queued_jobs_charges": 2,
    }
    for task in owed:
        ledger.owed.strike_owed(account_of(argument_of(task)), task)
    gauges = _read(ledger, queue_redis, clock)
    assert gauges["gatekeeper_owed_oldest_seconds"] == 0


def test_an_email_that_nobody_takes_hides_nothing_else(
    ledger: Ledger, relay: Relay, clock: MovableClock
) -> None:
    account_id = owe_email(ledger)
    clock.advance(s=3600)
    relay.drain_once()
    gauges = owed_gauges(ledger, clock=clock)
    assert gauges["gatekeeper_owed_oldest_email_seconds"] == 3600
    assert gauges["gatekeeper_owed_oldest_seconds"] == 0
    ledger.accounts.set_topoff(account_id, TOPOFF)
    clock.advance(s=60)
    relay.drain_once()
    gauges = owed_gauges(ledger, clock=clock)
    assert gauges["gatekeeper_owed_oldest_email_seconds"] == 3660
    assert gauges["gatekeeper_owed_oldest_seconds"] == 60


def test_jobs_are_counted_where_they_are(
    ledger: Ledger, relay: Relay, queue_redis: Redis, clock: MovableClock, queues: Queues
) -> None:
    for _ in range(3):
        owe_charge(ledger)
    relay.drain_once()
    charges = queues["charges"]
    queue_redis.lmove(charges.key, charges.intermediate_queue_key)
    failed = charges.jobs[0]
    charges.remove(failed)
    FailedJobRegistry(queue=charges).add(failed, ttl=60)
    assert _read(ledger, queue_redis, clock) == NOTHING | {
        "gatekeeper_owed_tasks": 3,
        "gatekeeper_queued_jobs_charges": 1,
        "gatekeeper_intermediate_jobs_charges": 1,
        "gatekeeper_failed_jobs_charges": 1,
    }
