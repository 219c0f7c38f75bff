"""What is owed gets a job, one at a time, until it is struck off."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.utils import now
from structlog.testing import capture_logs

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.call import CallId, Decision
from gatekeeper.domain.incident import FailureReason
from gatekeeper.jobs import (
    FAILURE_TTL_S,
    JOB_TIMEOUT_S,
    RESULT_TTL_S,
    argument_of,
    job_id,
)
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import Relay
from gatekeeper.relay.link import redis_link
from gatekeeper.relay.queues import JobQueues
from tests.conftest import MovableClock
from tests.relay.conftest import LEASE_S, TOPOFF, Queues, owe_charge, owed_tasks, tries_of

NUMBER = "+15550001111"


def make_due(ledger: Ledger, task: str, due_ms: int) -> None:
    """Write a task down as the scripts' `owe` does, for what no verb owes."""
    ledger.client.zadd(ledger.keys.owed(0), {task: due_ms})


def test_nothing_owed_enqueues_nothing(relay: Relay, queues: Queues) -> None:
    assert relay.drain_once() == 0
    assert queues.job_ids == []


def test_a_charge_that_is_owed_becomes_a_job_that_on_call_can_read(
    relay: Relay, ledger: Ledger, queues: Queues
) -> None:
    task = owe_charge(ledger)
    topoff_id = argument_of(task)
    account_id, token = topoff_id.split("-")

    assert relay.drain_once() == 1

    (job,) = queues["charges"].jobs
    assert job.id == f"charge-{topoff_id}-1"
    assert job.func_name == "workers.charges.charge"
    assert list(job.args) == [topoff_id]
    assert job.description == f"Charge {account_id}: top-off {token}"
    assert job.timeout == JOB_TIMEOUT_S
    assert job.result_ttl == RESULT_TTL_S
    assert job.failure_ttl == FAILURE_TTL_S
    assert job.get_status() == JobStatus.QUEUED
    assert tries_of(ledger, task) == 1


def test_a_job_is_stored_as_json(relay: Relay, ledger: Ledger, queues: Queues) -> None:
    task = owe_charge(ledger)
    relay.drain_once()
    stored = queues.client.hget(Job.key_for(job_id(task, 1)), "data")
    assert isinstance(stored, bytes)
    call: list[object] = ["workers.charges.charge", None, [argument_of(task)], {}]
    assert json.loads(zlib.decompress(stored)) == call


def test_each_kind_of_work_goes_to_its_own_queue_when_it_is_due(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    topoff_id = argument_of(owe_charge(ledger))
    ledger.topoffs.begin_charge(topoff_id, price_minor=25, currency="usd")
    ledger.topoffs.fail_topoff(
        topoff_id, payment_intent="", reason=FailureReason.INTERNAL_ERROR, cool_downs_s=[3600]
    )
    assert relay.drain_once() == 1
    (email_id,) = queues["emails"].job_ids
    assert email_id.startswith("email-topoff_failed-")

    clock.advance(s=3599.999)
    relay.drain_once()
    assert queues["upkeep"].job_ids == []
    clock.advance(s=0.001)
    relay.drain_once()
    assert queues["upkeep"].job_ids == [f"look-{account_of(topoff_id)}-1"]
    assert queues["charges"].job_ids == []


def test_calls_below_the_threshold_are_one_job(
    relay: Relay, ledger: Ledger, queues: Queues
) -> None:
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "able@example.com", 5))
    ledger.accounts.set_topoff(account_id, TOPOFF)
    for number in range(3):
        call = CallId("AC" + "1" * 32, f"CA{number:032x}")
        verdict = ledger.calls.admit_call(account_id, call, NUMBER).verdict
        assert verdict.decision is Decision.ANSWER
        relay.drain_once()
    assert len(queues["charges"].job_ids) == 1


def test_a_log_line_names_task_account_and_job(
    relay: Relay, ledger: Ledger, clock: MovableClock
) -> None:
    task = owe_charge(ledger)
    clock.advance(s=0.25)
    with capture_logs() as logs:
        relay.drain_once()
    assert logs == [
        {
            "event": "owed_task_enqueued",
            "log_level": "info",
            "kind": "charge",
            "argument": argument_of(task),
            "job_id": job_id(task, 1),
            "late_ms": 250,
        }
    ]


def test_a_backlog_is_not_enqueued_over_and_over(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    tasks = {owe_charge(ledger) for _ in range(30)}
    assert relay.drain_once() == 30
    for _ in range(5):
        clock.advance(s=LEASE_S)
        assert relay.drain_once() == 0
    assert sorted(queues.job_ids) == sorted(job_id(task, 1) for task in tasks)
    assert all(due_ms > clock() for due_ms in owed_tasks(ledger).values())


def start(job: Job) -> None:
    """Do what a worker does when it begins a job."""
    job.connection.lrem("rq:queue:charges", 1, job.id)
    with job.connection.pipeline() as pipeline:
        job.prepare_for_execution("a-worker", pipeline)
        pipeline.execute()


def start_long_ago(job: Job) -> None:
    start(job)
    job.heartbeat(now() - timedelta(seconds=61), ttl=600)


def start_just_within(job: Job) -> None:
    start(job)
    job.heartbeat(now() - timedelta(seconds=30), ttl=600)


def move_to_intermediate(job: Job) -> None:
    job.connection.lmove("rq:queue:charges", "rq:queue:charges:intermediate")


def lose_from_queue(job: Job) -> None:
    job.connection.lrem("rq:queue:charges", 1, job.id)


def end_as(status: JobStatus) -> Callable[[Job], None]:
    def end(job: Job) -> None:
        start(job)
        job.set_status(status)

    return end


def fail(job: Job) -> None:
    """Do what a worker does when a job's function raised."""
    start(job)
    with job.connection.pipeline() as pipeline:
        job.set_status(JobStatus.FAILED, pipeline)
        job._handle_failure("Traceback: a fault", pipeline, worker_name="a-worker")
        pipeline.execute()


@pytest.mark.parametrize(
    "happen",
    [
        move_to_intermediate,
        start,
        start_just_within,
        end_as(JobStatus.SCHEDULED),
        end_as(JobStatus.DEFERRED),
    ],
    ids=["moving", "started", "heartbeat", "scheduled", "deferred"],
)
def test_a_task_whose_job_is_alive_is_left_alone(
    relay: Relay,
    ledger: Ledger,
    clock: MovableClock,
    queues: Queues,
    happen: Callable[[Job], None],
) -> None:
    task = owe_charge(ledger)
    relay.drain_once()
    happen(queues["charges"].jobs[0])

    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 0
    assert owed_tasks(ledger)[task] == clock() + LEASE_S * 1000
    assert tries_of(ledger, task) == 1


@pytest.mark.parametrize(
    "happen",
    [
        Job.cancel,
        Job.delete,
        lose_from_queue,
        start_long_ago,
        end_as(JobStatus.FINISHED),
        fail,
        end_as(JobStatus.STOPPED),
    ],
    ids=["canceled", "deleted", "lost", "no heartbeat", "finished", "failed", "stopped"],
)
def test_a_task_whose_job_is_dead_gets_another(
    relay: Relay,
    ledger: Ledger,
    clock: MovableClock,
    queues: Queues,
    happen: Callable[[Job], None],
) -> None:
    task = owe_charge(ledger)
    relay.drain_once()
    happen(queues["charges"].jobs[0])

    clock.advance(s=LEASE_S - 0.001)
    assert relay.drain_once() == 0, "its lease has not ended yet"
    clock.advance(s=0.001)
    assert relay.drain_once() == 1
    assert queues["charges"].job_ids == [job_id(task, 2)]
    assert tries_of(ledger, task) == 2


def test_a_failed_job_stays_where_on_call_sees_it(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    task = owe_charge(ledger)
    relay.drain_once()
    (job,) = queues["charges"].jobs
    fail(job)

    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 1
    assert queues["charges"].failed_job_registry.get_job_ids(cleanup=False) == [job_id(task, 1)]


def test_a_failed_job_that_on_call_requeues_is_not_doubled(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    task = owe_charge(ledger)
    relay.drain_once()
    (job,) = queues["charges"].jobs
    fail(job)
    job.requeue()

    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 0
    assert queues["charges"].job_ids == [job_id(task, 1)]


def test_the_time_between_jobs_doubles_up_to_half_an_hour(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    task = owe_charge(ledger)
    enqueued_ms = []
    for number in range(1, 12):
        clock.now_ms = owed_tasks(ledger)[task]
        assert relay.drain_once() == 1
        enqueued_ms.append(clock())
        (job,) = queues["charges"].jobs
        assert job.id == job_id(task, number)
        job.delete()
    waits_s = [(later - earlier) / 1000 for earlier, later in pairwise(enqueued_ms)]
    assert waits_s == [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800]


def test_what_is_struck_off_is_not_enqueued_again(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    task = owe_charge(ledger)
    relay.drain_once()
    queues["charges"].jobs[0].delete()
    ledger.owed.strike_owed(account_of(argument_of(task)), task)
    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 0
    assert queues.job_ids == []


@pytest.fixture
def job_queues(queue_redis: Redis) -> JobQueues:
    return JobQueues(queue_redis, redis_link("queues", queue_redis.ping), heartbeat_stale_s=60)


def claim_all(ledger: Ledger) -> None:
    for shard in range(ledger.owed.shards):
        ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=100)


def test_a_relay_that_ended_after_its_claim_loses_nothing(
    relay: Relay, ledger: Ledger, clock: MovableClock
) -> None:
    owe_charge(ledger)
    claim_all(ledger)
    assert relay.drain_once() == 0, "it is the other relay's until the lease ends"
    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 1


def test_a_job_that_was_enqueued_but_not_noted_is_found(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues, job_queues: JobQueues
) -> None:
    task = owe_charge(ledger)
    claim_all(ledger)
    assert job_queues.enqueue(task, 1)

    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 0
    assert queues["charges"].job_ids == [job_id(task, 1)]
    assert tries_of(ledger, task) == 1


def test_jobs_that_died_without_being_noted_are_passed_over(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues, job_queues: JobQueues
) -> None:
    task = owe_charge(ledger)
    claim_all(ledger)
    for number in (1, 2, 3):
        assert job_queues.enqueue(task, number)
        end_as(JobStatus.FAILED)(queues["charges"].jobs[0])

    clock.advance(s=LEASE_S)
    assert relay.drain_once() == 1
    assert queues["charges"].job_ids == [job_id(task, 4)]
    assert tries_of(ledger, task) == 4


def test_work_of_an_unknown_kind_stays_owed_and_is_logged_once(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    unknown = [f"teleport:{new_account_id()}", "charge:not-an-id", "nonsense"]
    for task in unknown:
        make_due(ledger, task, clock())
    known = owe_charge(ledger)

    with capture_logs() as logs:
        assert relay.drain_once() == 1
        for _ in range(3):
            clock.advance(s=LEASE_S)
            assert relay.drain_once() == 0
    errors = [line for line in logs if line["log_level"] == "error"]
    assert sorted(line["error"] for line in errors) == sorted(
        f"not a task: {task!r}" for task in unknown
    )
    assert set(owed_tasks(ledger)) == {*unknown, known}
    assert queues.job_ids == [job_id(known, 1)]


def test_relays_side_by_side_enqueue_each_task_once(
    ledger: Ledger, queue_redis: Redis, clock: MovableClock, queues: Queues
) -> None:
    tasks = [owe_charge(ledger) for _ in range(200)]
    enqueued: list[int] = []
    barrier = threading.Barrier(4)

    def drain() -> None:
        relay = Relay(ledger, queue_redis, lease_s=LEASE_S, clock=clock)
        barrier.wait()
        enqueued.append(relay.drain_once())

    threads = [threading.Thread(target=drain) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A relay that loses a race for a shard leaves the rest of it to the winner.
    assert sum(enqueued) == 200
    assert sorted(queues.job_ids) == sorted(job_id(task, 1) for task in tasks)


def test_more_than_one_claim_of_work_is_drained_in_one_pass(
    relay: Relay, ledger: Ledger, clock: MovableClock, queues: Queues
) -> None:
    tasks = [f"look:{new_account_id()}" for _ in range(600)]
    ledger.client.zadd(ledger.keys.owed(0), dict.fromkeys(tasks, clock()))
    assert relay.drain_once() == 600
    assert sorted(queues.job_ids) == sorted(job_id(task, 1) for task in tasks)
