"""RQ's side of the relay: enqueues jobs, and tells which of them are still alive."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from redis import Redis
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import now, str_to_date

from gatekeeper.jobs import (
    FAILURE_TTL_S,
    JOB_TIMEOUT_S,
    QUEUES,
    RESULT_TTL_S,
    argument_of,
    job_id,
    spec_of,
)
from gatekeeper.relay.link import Link

#: A task and the number of one of its jobs.
Numbered = tuple[str, int]


class JobQueues:
    """The queues that the table in gatekeeper/jobs.py names. All methods raise redis.RedisError.

    A started job without a heartbeat for `heartbeat_stale_s` is taken for dead.
    """

    def __init__(self, client: Redis, link: Link, *, heartbeat_stale_s: float) -> None:
        self._client = client
        self._link = link
        self._heartbeat_stale = timedelta(seconds=heartbeat_stale_s)
        self._queues = {
            name: Queue(name, connection=client, serializer=JSONSerializer) for name in QUEUES
        }

    def enqueue(self, task: str, number: int) -> bool:
        """Enqueue a task's job of this number; False when there is one, in whatever state.

        RQ checks, stores and queues a `unique` job in one script: it is there whole or not at all,
        and never twice. Raises ValueError when the task is not one of the table.
        """
        spec, argument = spec_of(task), argument_of(task)
        try:
            with self._link:
                self._queues[spec.queue].enqueue_call(
                    spec.func_path,
                    args=(argument,),
                    timeout=JOB_TIMEOUT_S,
                    result_ttl=RESULT_TTL_S,
                    failure_ttl=FAILURE_TTL_S,
                    description=spec.describe(argument),
                    job_id=job_id(task, number),
                    unique=True,
                )
        except DuplicateJobError:
            return False
        return True

    def alive(self, jobs: Collection[Numbered]) -> set[Numbered]:
        """Tell which of these jobs are running or will be. Raises ValueError as `enqueue` does.

        Everything is read in one transaction, for a job moves from list to list. The lists are
        read whole: to look for each job's place in a long queue costs ten times as much.
        """
        if not jobs:
            return set()
        queues = [self._queues[name] for name in {spec_of(task).queue for task, _ in jobs}]
        lists = [key for queue in queues for key in (queue.key, queue.intermediate_queue_key)]
        with self._link, self._client.pipeline(transaction=True) as pipeline:
            for key in lists:
                pipeline.lrange(key, 0, -1)
            for job in jobs:
                pipeline.hmget(Job.key_for(job_id(*job)), "status", "last_heartbeat")
            replies = pipeline.execute()
        queued = {id_.decode() for ids in replies[: len(lists)] for id_ in ids}
        return {
            job
            for job, (status, heartbeat) in zip(jobs, replies[len(lists) :], strict=True)
            if self._is_alive(status, heartbeat, is_queued=job_id(*job) in queued)
        }

    def _is_alive(self, status: bytes | None, heartbeat: bytes | None, *, is_queued: bool) -> bool:
        match status.decode() if status else None:
            case JobStatus.QUEUED:
                return is_queued
            case JobStatus.STARTED:
                return heartbeat is not None and (
                    now() - str_to_date(heartbeat) < self._heartbeat_stale
                )
            case JobStatus.DEFERRED | JobStatus.SCHEDULED:
                return True
        return False
