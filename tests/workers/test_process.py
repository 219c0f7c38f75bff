"""Real worker processes: what they run, what they refuse, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import Callback, Queue
from rq.job import Job, JobStatus
from rq.serializers import DefaultSerializer, JSONSerializer
from rq.webhook import Webhook

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.jobs import JOB_TIMEOUT_S, RESULT_TTL_S, argument_of, job_id, spec_of
from gatekeeper.sandbox.stripe import SandboxControl
from tests.conftest import wait_until
from tests.payments.till import Debtor, Till
from tests.sandbox.stripe.endpoint import Endpoint
from tests.workers.processes import WorkerProcess
from workers.process import OneQueueWorker, make_worker

CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
ACCOUNT = "acct_00000000000b"
LOOK = "workers.upkeep.look_at_threshold"


def enqueue(own: Parts, task: str) -> Job:
    """Enqueue a task as the relay does."""
    spec, argument = spec_of(task), argument_of(task)
    queue = Queue(spec.queue, connection=own.queue_redis, serializer=JSONSerializer)
    return queue.enqueue_call(
        spec.func_path,
        args=(argument,),
        timeout=JOB_TIMEOUT_S,
        result_ttl=RESULT_TTL_S,
        description=spec.describe(argument),
        job_id=job_id(task, 1),
    )


def wait_for_end(*jobs: Job) -> None:
    wait_until(lambda: all(job.is_finished or job.is_failed for job in jobs))


def fault_of(job: Job) -> str:
    result = job.latest_result()
    assert result is not None
    return result.exc_string or ""


class Intruder:
    """Someone who can write to RQ's Redis. `traces` exists once anything of his has run."""

    def __init__(self, connection: Redis, directory: Path) -> None:
        self.directory = directory
        self.traces = directory / "traces"
        code = f"open({str(self.traces)!r}, 'w')\ndef run(*args, **kwargs): ...\n"
        (directory / "intruder.py").write_text(code)
        self.connection = connection
        self.queue = Queue("upkeep", connection=connection, serializer=JSONSerializer)

    def enqueue(self, func: str, *args: Any, **options: Any) -> Job:
        return self.queue.enqueue_call(func, args=args, **options)

    def enqueue_pickled(self) -> Job:
        queue = Queue("upkeep", connection=self.connection, serializer=DefaultSerializer)
        return queue.enqueue_call("intruder.run", args=("x",))

    def enqueue_method(self) -> Job:
        """Name a method of an instance that the job brings along."""
        job = Job.create(LOOK, (ACCOUNT,), connection=self.connection, serializer=JSONSerializer)
        job.origin = "upkeep"
        job._instance = "text"
        return self.queue.enqueue_job(job)


@pytest.fixture
def intruder(own: Parts, tmp_path: Path) -> Intruder:
    return Intruder(own.queue_redis, tmp_path)


@pytest.fixture
def worker(intruder: Intruder, settings: dict[str, str]) -> Iterator[WorkerProcess]:
    with WorkerProcess("upkeep", settings, intruder.directory) as process:
        yield process


def test_nothing_but_listed_functions_is_imported_or_called(
    intruder: Intruder, worker: WorkerProcess
) -> None:
    refused = [
        intruder.enqueue("os.system", f"touch {intruder.traces}"),
        intruder.enqueue("intruder.run", ACCOUNT),
        intruder.enqueue("workers.upkeep.parts"),
        intruder.enqueue("workers.process.run_worker", "charges"),
        intruder.enqueue(LOOK),
        intruder.enqueue(LOOK, ACCOUNT, "and more"),
        intruder.enqueue(LOOK, {"not": "an id"}),
        intruder.enqueue(LOOK, kwargs={"account_id": ACCOUNT}),
        intruder.enqueue_method(),
    ]
    pickled = intruder.enqueue_pickled()
    wait_for_end(*refused)
    wait_until(lambda: Job.fetch(pickled.id, intruder.connection).is_failed)
    for job in refused:
        assert "workers.process.JobRefused" in fault_of(job)
    assert "'os.system' is not on the list of jobs" in fault_of(refused[0])
    assert not intruder.traces.exists()


def test_callbacks_and_webhooks_of_a_job_are_left_out(
    own: Parts, till: Till, intruder: Intruder, worker: WorkerProcess
) -> None:
    with Endpoint() as endpoint:
        brought_along = {
            "on_success": Callback("intruder.run"),
            "on_failure": Callback("intruder.run"),
            "webhooks": [
                Webhook(endpoint.url, status, method="POST") for status in ("finished", "failed")
            ],
        }
        done = intruder.enqueue(LOOK, till.debtor().account_id, **brought_along)
        refused = intruder.enqueue("os.getcwd", **brought_along)
        wait_for_end(done, refused)
        assert (done.get_status(), refused.get_status()) == (JobStatus.FINISHED, JobStatus.FAILED)
        worker.terminate_everything()
        assert worker.wait() == 0
        assert endpoint.received == []
    assert not intruder.traces.exists()


def test_a_worker_takes_one_queue_that_exists(own: Parts) -> None:
    with pytest.raises(ValueError, match="one queue"):
        OneQueueWorker(["charges", "emails"], connection=own.queue_redis)
    with pytest.raises(ValueError, match="there is no queue 'default'"):
        make_worker("default", own.queue_redis)


@pytest.fixture
def charges(own: Parts, settings: dict[str, str], tmp_path: Path) -> Iterator[WorkerProcess]:
    with WorkerProcess("charges", settings, tmp_path) as process:
        yield process


def hold_charge(own: Parts, control: SandboxControl, debtor: Debtor) -> Job:
    """Let a worker wait for Stripe in the middle of a charge."""
    control.add_fault("hang_before", path=CONFIRM)
    job = enqueue(own, debtor.task)
    assert control.held(count=1, wait_s=30)
    return job


def test_sigterm_to_everyone_lets_a_charge_finish(
    own: Parts, till: Till, control: SandboxControl, charges: WorkerProcess
) -> None:
    debtor = till.debtor()
    job = hold_charge(own, control, debtor)
    charges.terminate_everything()
    control.release()
    assert charges.wait() == 0
    assert job.return_value() == {"outcome": "succeeded", "decline_code": ""}
    till.assert_credited_once(debtor)


def test_a_charge_that_outlasts_the_grace_is_interrupted_and_stays_owed(
    own: Parts, till: Till, control: SandboxControl, charges: WorkerProcess
) -> None:
    debtor = till.debtor()
    job = hold_charge(own, control, debtor)
    charges.terminate_everything()
    assert charges.wait() == 0
    assert "ShutDownImminentException" in fault_of(job)
    assert till.topoff(debtor).state is TopoffState.CHARGING
    assert till.is_owed(debtor)
    control.release()
    till.charge_until_known(debtor)
    till.assert_credited_once(debtor)


def test_what_on_call_reads_of_a_job(
    own: Parts, till: Till, control: SandboxControl, charges: WorkerProcess
) -> None:
    control.add_fault("error_before", method="POST", path="/v1/payment_intents", status=401)
    debtor = till.debtor()
    job = enqueue(own, debtor.task)
    wait_for_end(job)
    assert job.description == f"Charge {debtor.account_id}: top-off {debtor.topoff_id[-12:]}"
    assert "ChargeRefused: AuthenticationError HTTP 401" in fault_of(job)
    assert "sk_test" not in fault_of(job)
