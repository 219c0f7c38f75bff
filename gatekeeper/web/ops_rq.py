"""RQ as rq-dashboard sees it here: JSON only, nothing unpickled, short waits left short.

rq-dashboard 0.9.0 has a serializer setting, but applies it in some places only. A single job's
page, requeueing, deleting and the list of workers use RQ's default, which is pickle. There,
whoever can write to Redis could run code in the web process; a busy worker's JSON job could not
be shown; and a requeued job's metadata would be written back as a pickle that no worker can read.
So the names it imported from RQ are bound to variants that know one serializer.
"""

from __future__ import annotations

from typing import Any

import rq_dashboard.web
from redis import Redis
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker


class DashboardJob(Job):
    """A job that is read and written as JSON, whatever serializer is asked for."""

    def __init__(
        self,
        id: str | None = None,
        connection: Redis | None = None,
        serializer: Any = None,  # noqa: ARG002 - RQ passes one; it must not count
    ) -> None:
        super().__init__(id, connection, JSONSerializer)

    @property
    def dependency_ids(self) -> list[bytes]:  # type: ignore[override]
        """The ids of the jobs this one waits for, as bytes.

        RQ 2.12 gives text, which rq-dashboard 0.9.0 fails to decode; RQ itself doesn't use them.
        """
        return [job_id.encode() for job_id in super().dependency_ids]


class DashboardWorker(Worker):
    """A worker that is only looked at: its job read as JSON, its connection left alone."""

    job_class = DashboardJob

    @classmethod
    def all(cls, *args: Any, **kwargs: Any) -> list[BaseWorker]:
        """Return every worker, its jobs read as JSON."""
        return super().all(*args, **kwargs | {"serializer": JSONSerializer})

    def _set_connection(self, connection: Redis) -> Redis:
        # RQ would raise the pool's timeout to minutes, for the blocking reads of a worker at
        # work. Here a web thread would wait that long for a Redis that hangs.
        return connection


def requeue_job(job_id: str, connection: Redis) -> Job:
    """Put a failed job back into its queue.

    Raises NoSuchJobError when it does not exist and InvalidJobOperation when it has not failed.
    """
    return DashboardJob.fetch(job_id, connection).requeue()


def bind_dashboard() -> None:
    """Make rq-dashboard use the variants above in this process. Doing it again changes nothing."""
    rq_dashboard.web.config.serializer = JSONSerializer
    rq_dashboard.web.Job = DashboardJob
    rq_dashboard.web.Worker = DashboardWorker
    rq_dashboard.web.requeue_job = requeue_job
