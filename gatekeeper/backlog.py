"""What waits to be done, in numbers, by the names under which Prometheus gets them.

- `gatekeeper_owed_tasks`: what the ledger owes, due or not; the turn of every cycle is among it.
- `gatekeeper_owed_oldest_seconds`: for how long the oldest of it, e-mails apart, has been due,
  counted from when it first was, whatever was tried since. It grows when no relay or worker is at
  work, and when a task keeps failing.
- `gatekeeper_owed_oldest_email_seconds`: the same for e-mails. One mailbox that refuses its mail
  keeps it high, and must not hide that nothing else is being done.
- `gatekeeper_history_lag_entries`: entries of the log that are not in SQL yet.
- `gatekeeper_history_lag_oldest_seconds`: for how long the oldest of them has been waiting. It
  grows when no relay is at work, and when history's database is away.
- `gatekeeper_queued_jobs_<queue>`: jobs that wait in a queue.
- `gatekeeper_intermediate_jobs_<queue>`: jobs on their way from the queue to a worker; one stays
  there for long only if the worker was killed on that way.
- `gatekeeper_failed_jobs_<queue>`: jobs that failed and are kept to be looked at.
"""

from __future__ import annotations

from collections.abc import Iterable

from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry

from gatekeeper.history.lag import read_lag
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.owed import MARKS
from gatekeeper.ledger.store import Clock, wall_clock_ms

OWED_TASKS = "gatekeeper_owed_tasks"
OWED_OLDEST_S = "gatekeeper_owed_oldest_seconds"
OWED_OLDEST_EMAIL_S = "gatekeeper_owed_oldest_email_seconds"
HISTORY_LAG_ENTRIES = "gatekeeper_history_lag_entries"
HISTORY_LAG_OLDEST_S = "gatekeeper_history_lag_oldest_seconds"


def owed_gauges(ledger: Ledger, *, clock: Clock = wall_clock_ms) -> dict[str, float]:
    """Read the gauges of owed work, in one round trip. Raises redis.RedisError."""
    with ledger.client.pipeline(transaction=False) as pipeline:
        for shard in range(ledger.keys.shards):
            pipeline.zcard(ledger.keys.owed(shard))
            pipeline.hgetall(ledger.keys.tries(shard))
        replies = pipeline.execute()
    now_ms = clock()
    oldest_ms = {OWED_OLDEST_S: now_ms, OWED_OLDEST_EMAIL_S: now_ms}
    for task, tries in (item for kept in replies[1::2] for item in kept.items()):
        if task == MARKS:
            continue
        gauge = OWED_OLDEST_EMAIL_S if task.startswith("email:") else OWED_OLDEST_S
        oldest_ms[gauge] = min(oldest_ms[gauge], int(tries.split(" ")[1]))
    ages_s = {gauge: (now_ms - first_due_ms) / 1000 for gauge, first_due_ms in oldest_ms.items()}
    return {OWED_TASKS: sum(replies[::2]), **ages_s}


def history_gauges(ledger: Ledger) -> dict[str, float]:
    """Read the gauges of what history lacks, without asking SQL. Raises redis.RedisError."""
    lag = read_lag(ledger)
    return {HISTORY_LAG_ENTRIES: lag.entries, HISTORY_LAG_OLDEST_S: lag.oldest_s}


def queue_gauges(queue_redis: Redis, queues: Iterable[str]) -> dict[str, float]:
    """Read the gauges of RQ's queues of these names, in one round trip. Raises redis.RedisError."""
    names: list[str] = []
    with queue_redis.pipeline(transaction=False) as pipeline:
        for name in queues:
            queue = Queue(name, connection=queue_redis)
            pipeline.llen(queue.key)
            pipeline.llen(queue.intermediate_queue_key)
            pipeline.zcard(FailedJobRegistry(queue=queue).key)
            names += [
                f"gatekeeper_{state}_jobs_{name}" for state in ("queued", "intermediate", "failed")
            ]
        return dict(zip(names, pipeline.execute(), strict=True))
