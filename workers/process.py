"""The worker process: RQ's, on one queue, running nothing but what gatekeeper/jobs.py lists."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final
from uuid import uuid4

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import HerokuWorker

from gatekeeper.bootstrap import Parts
from gatekeeper.jobs import FUNC_PATHS, QUEUES, SPECS

#: With RQ's defaults it takes 13 minutes until a worker that was killed is noticed; with these
#: about 90 s.
_MAINTENANCE_INTERVAL_S: Final = 20
_WORKER_TTL_S: Final = 30
_JOB_MONITORING_INTERVAL_S: Final = 5
#: A job under way has so long to finish after SIGTERM. Process managers send SIGKILL after 5 s
#: (honcho) to 30 s.
_GRACE_S: Final = 4


class JobRefused(Exception):
    """The job is not one that this worker runs. Nothing of it was imported or called."""


class WorkerQuit(Exception):
    """RQ's worker ended without having been asked to."""


class ListedJob(Job):
    """A job as the relay enqueues it: a listed function, and one id.

    Whoever can write to RQ's Redis chooses what a job says. RQ imports and calls any function that
    a job names, as its function or as a callback, and posts its result to any URL.
    """

    @property
    def func(self) -> Any:
        """The job's function. Raises JobRefused before anything is imported."""
        name, args = self.func_name, self.args
        if not isinstance(name, str) or name not in FUNC_PATHS or self.instance:
            raise JobRefused(f"{str(name)[:100]!a} is not on the list of jobs")
        if self.kwargs or len(args) != 1 or not isinstance(args[0], str):
            raise JobRefused(f"{name} takes one id")
        return super().func

    def restore(self, raw_data: Mapping[Any, Any]) -> Any:
        """Read what Redis has, but for callbacks, webhooks and repetitions."""
        super().restore(raw_data)
        self._success_callback_name = None
        self._failure_callback_name = None
        self._stopped_callback_name = None
        self.webhooks = []
        self.retries_left = None
        self.repeats_left = None


class OneQueueWorker(HerokuWorker):
    """A worker on one queue, where RQ can recover a job whose worker was killed.

    HerokuWorker lets the child that runs a job finish when every process is sent SIGTERM; after
    `imminent_shutdown_delay` the job is interrupted and fails. It stays owed and comes back.
    """

    job_class = ListedJob
    imminent_shutdown_delay = _GRACE_S

    def validate_queues(self) -> None:
        """Refuse more than one queue."""
        super().validate_queues()  # type: ignore[no-untyped-call] # rq gives it no types
        if len(self.queues) != 1:
            raise ValueError("a worker takes one queue")

    @property
    def was_asked_to_stop(self) -> bool:
        """Whether a signal asked it to end."""
        return self._shutdown_requested_date is not None


def make_worker(queue_name: str, connection: Redis) -> OneQueueWorker:
    """Make the worker of a queue. Raises ValueError when there is no such queue."""
    if queue_name not in QUEUES:
        raise ValueError(f"there is no queue {queue_name!a}; there are {', '.join(QUEUES)}")
    queue = Queue(queue_name, connection=connection, job_class=ListedJob, serializer=JSONSerializer)
    return OneQueueWorker(
        [queue],
        name=f"{queue_name}-{uuid4().hex[:12]}",
        connection=connection,
        serializer=JSONSerializer,
        maintenance_interval=_MAINTENANCE_INTERVAL_S,
        worker_ttl=_WORKER_TTL_S,
        job_monitoring_interval=_JOB_MONITORING_INTERVAL_S,
    )


def run_worker(queue_name: str, parts: Parts) -> None:
    """Work on a queue until asked to stop. Raises ValueError, WorkerQuit."""
    worker = make_worker(queue_name, parts.queue_redis)
    _load_jobs(queue_name)
    worker.work()
    if not worker.was_asked_to_stop:
        raise WorkerQuit(f"the worker of {queue_name} ended by itself; its log says why")


def _load_jobs(queue_name: str) -> None:
    """Import once what every job of the queue would import in its own process."""
    for spec in SPECS.values():
        if spec.queue == queue_name:
            import_module(spec.func_path.rpartition(".")[0])
