"""Owed work → RQ: claimed under a lease, enqueued, noted."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import structlog

from gatekeeper.jobs import argument_of, job_id, spec_of
from gatekeeper.ledger.owed import Owed, OwedTask
from gatekeeper.ledger.store import Clock
from gatekeeper.relay.link import Link
from gatekeeper.relay.queues import JobQueues

#: Enough that the queues' lists are not read too often, and enqueued long before a lease ends.
CLAIM_LIMIT = 500
#: However often a task's job failed, it gets another one after this time.
BACK_OFF_MAX_S = 1800.0
_DOUBLINGS_MAX = 32  # what keeps the power of two within a float

log = structlog.get_logger(__name__)


class OwedWork:
    """Enqueues a job for every owed task that has none alive. Raises redis.RedisError.

    A task whose job is alive is left alone until its lease ends again, so a backlog is not
    enqueued over and over. A job that ended without striking its task off is dead, and so is one
    that RQ lost: the task gets a new job, under the next number, and a longer time to be done in.
    """

    def __init__(
        self, owed: Owed, queues: JobQueues, link: Link, *, lease_s: float, clock: Clock
    ) -> None:
        self._owed = owed
        self._queues = queues
        self._link = link
        self._lease_s = lease_s
        self._clock = clock
        self._unknown: set[str] = set()

    def drain(self, stop: threading.Event) -> int:
        """Enqueue all that is due now, shard by shard; returns the number of new jobs.

        Once `stop` is set nothing more is enqueued; what was claimed comes back with its lease.
        """
        return sum(self._drain_shard(shard, stop) for shard in range(self._owed.shards))

    def next_due_ms(self) -> int | None:
        """When the next task of any shard is due; None when nothing is owed."""
        with self._link:
            dues_ms = [self._owed.next_due_ms(shard) for shard in range(self._owed.shards)]
        return min((due_ms for due_ms in dues_ms if due_ms is not None), default=None)

    def _drain_shard(self, shard: int, stop: threading.Event) -> int:
        enqueued, until_ms = 0, self._clock()
        while not stop.is_set():
            with self._link:
                due_ms = self._owed.next_due_ms(shard)
                if due_ms is None or due_ms > until_ms:
                    break
                tasks = self._owed.claim_owed(shard, lease_s=self._lease_s, limit=CLAIM_LIMIT)
            if not tasks:  # another relay was faster
                break
            enqueued += self._hand_over(tasks, stop)
        return enqueued

    def _hand_over(self, tasks: Sequence[OwedTask], stop: threading.Event) -> int:
        known = [task for task in tasks if self._is_known(task.task)]
        alive = self._queues.alive({(task.task, task.tries) for task in known if task.tries})
        enqueued = 0
        for task in known:
            if stop.is_set():
                break
            if (task.task, task.tries) not in alive:
                enqueued += self._enqueue(task)
        return enqueued

    def _enqueue(self, task: OwedTask) -> bool:
        """Give a task a job of the next free number; False when another relay had given it one.

        That relay ended, or was held up, before it noted the job.
        """
        number = task.tries + 1
        while not (is_new := self._queues.enqueue(task.task, number)):
            if self._queues.alive({(task.task, number)}):
                break
            number += 1
        if is_new:
            self._log_enqueued(task, number)
        with self._link:
            self._owed.enqueued_owed(task, tries=number, back_in_s=self._back_off_s(task.tries))
        return is_new

    def _back_off_s(self, tries_before: int) -> float:
        return min(self._lease_s * 2.0 ** min(tries_before, _DOUBLINGS_MAX), BACK_OFF_MAX_S)

    def _is_known(self, task: str) -> bool:
        """Tell whether the task can be enqueued; if not, it stays owed and is logged once.

        While versions change, a newer one may owe work that only its own relay knows.
        """
        try:
            spec_of(task)
        except ValueError as error:
            if task not in self._unknown:
                self._unknown.add(task)
                log.error("owed_task_unknown", error=str(error))  # noqa: TRY400 - a traceback says no more
            return False
        return True

    def _log_enqueued(self, task: OwedTask, number: int) -> None:
        log.info(
            "owed_task_enqueued",
            kind=task.task.rpartition(":")[0],
            argument=argument_of(task.task),
            job_id=job_id(task.task, number),
            late_ms=self._clock() - task.due_ms,
        )
