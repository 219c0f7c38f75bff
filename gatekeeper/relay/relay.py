"""The relay's loop: look, hand over, wait."""

from __future__ import annotations

import threading

from redis import Redis, RedisError

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import Clock, wall_clock_ms
from gatekeeper.relay.link import redis_link
from gatekeeper.relay.owed import OwedWork
from gatekeeper.relay.queues import JobQueues
from gatekeeper.relay.wakeups import WakeUps


class Relay:
    """Drains the ledger's owed work into RQ's queues until it is told to stop.

    `queue_redis` is RQ's Redis, with `decode_responses` off. Both clients must bound each command
    by short timeouts and few retries, or a stalled server holds up the stop. `lease_s` is how long
    a task is first given to be done, and how soon one is taken up again that a relay has claimed
    and then ended. `heartbeat_stale_s` must be several times the workers' monitoring interval.
    `look_interval_s` is the longest pause between two looks, which is what a missed announcement
    costs, and the pause before a lost Redis is tried again.
    """

    def __init__(
        self,
        ledger: Ledger,
        queue_redis: Redis,
        *,
        lease_s: float = 15.0,
        heartbeat_stale_s: float = 60.0,
        look_interval_s: float = 1.0,
        clock: Clock = wall_clock_ms,
    ) -> None:
        self._look_interval_s = look_interval_s
        self._clock = clock
        self._ledger_link = redis_link("ledger", ledger.probe)
        self._queues_link = redis_link(
            "queues", lambda: queue_redis.set(ledger.keys.probe(), "1", px=1000)
        )
        self._wakeups = WakeUps(ledger)
        self._owed = OwedWork(
            ledger.owed,
            JobQueues(queue_redis, self._queues_link, heartbeat_stale_s=heartbeat_stale_s),
            self._ledger_link,
            lease_s=lease_s,
            clock=clock,
        )

    def run(self, stop: threading.Event) -> None:
        """Relay until `stop` is set, whatever happens to either Redis."""
        while not stop.is_set():
            try:
                self._pass(stop)
                wait_s = self._idle_s()
                with self._ledger_link:
                    self._wakeups.wait(wait_s, stop)
            except RedisError:  # its link has logged it
                self._wakeups.close()
                stop.wait(self._look_interval_s)
        self._wakeups.close()

    def drain_once(self) -> int:
        """Look at every shard once; returns the number of new jobs. Raises redis.RedisError."""
        return self._pass(threading.Event())

    def _pass(self, stop: threading.Event) -> int:
        # Nothing is claimed while the queues cannot take it, so it is enqueued once they can.
        self._ledger_link.check()
        self._queues_link.check()
        return self._owed.drain(stop)

    def _idle_s(self) -> float:
        due_ms = self._owed.next_due_ms()
        if due_ms is None:
            return self._look_interval_s
        return min(max(0.0, (due_ms - self._clock()) / 1000), self._look_interval_s)
