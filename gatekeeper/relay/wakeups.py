"""The ledger's announcements that work is owed."""

from __future__ import annotations

import threading
import time

from redis import ConnectionPool, Redis
from redis.client import PubSub

from gatekeeper.ledger.ledger import Ledger

#: How soon a wait notices that it shall stop.
_STOP_NOTICED_S = 0.2
#: An idle connection shows signs of life to whatever lies between here and the server.
_HEALTH_CHECK_INTERVAL_S = 15
#: Bounds the reading of announcements that came meanwhile; what is left ends the next wait.
_SKIP_LIMIT = 10_000


class WakeUps:
    """Listens on every shard's channel with one connection, made when first waited.

    An announcement says that it is worth to look, no more: one that is missed is made up for by
    the next look.
    """

    def __init__(self, ledger: Ledger) -> None:
        pool = ledger.client.connection_pool
        settings = pool.connection_kwargs | {"health_check_interval": _HEALTH_CHECK_INTERVAL_S}
        self._client = Redis(connection_pool=ConnectionPool(pool.connection_class, **settings))
        self._channels = [ledger.keys.wake(shard) for shard in range(ledger.keys.shards)]
        self._pubsub: PubSub | None = None

    def wait(self, timeout_s: float, stop: threading.Event) -> None:
        """Return when work is announced, at the timeout, or soon after `stop` is set.

        The server's confirmation of a new subscription ends a wait like an announcement: what was
        announced before it has been missed. Raises redis.RedisError; `close` it then.
        """
        deadline_s = time.monotonic() + timeout_s
        if self._pubsub is None:
            self._pubsub = self._client.pubsub()  # type: ignore[no-untyped-call]  # it has no types
            self._pubsub.subscribe(*self._channels)
        while not stop.is_set() and (left_s := deadline_s - time.monotonic()) > 0:
            if self._pubsub.get_message(timeout=min(left_s, _STOP_NOTICED_S)) is not None:
                break
        # One look serves all that has been announced by now.
        for _ in range(_SKIP_LIMIT):
            if self._pubsub.get_message() is None:
                break

    def close(self) -> None:
        """Unsubscribe and disconnect; the next wait subscribes again."""
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
