"""Tells the log once that a Redis is lost, and once that it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import structlog
from redis import RedisError

log = structlog.get_logger(__name__)


class Link:
    """One Redis as the relay finds it; a context for the commands that are sent to it.

    An error passes through the context. The first of an outage is logged, the others are not.
    `probe` does what shows that the Redis takes writes again, and raises redis.RedisError else.
    """

    def __init__(self, name: str, probe: Callable[[], object]) -> None:
        self._name = name
        self._probe = probe
        self._lost_since_s: float | None = None

    def check(self) -> None:
        """Probe the Redis if it was lost. Raises redis.RedisError while it still is.

        A command that happens to succeed does not end an outage: a server that is full or
        read-only answers some of them.
        """
        if self._lost_since_s is None:
            return
        self._probe()
        lost_for_s = round(time.monotonic() - self._lost_since_s, 1)
        self._lost_since_s = None
        log.info("redis_recovered", redis=self._name, lost_for_s=lost_for_s)

    def __enter__(self) -> None:
        """Begin to send commands."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Note the loss if one of the commands failed."""
        if isinstance(exc, RedisError) and self._lost_since_s is None:
            self._lost_since_s = time.monotonic()
            log.error("redis_lost", redis=self._name, error=f"{type(exc).__name__}: {exc}")
