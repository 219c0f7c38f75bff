"""Tells the log once that a server is lost, and once that it is back."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import structlog
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.history.engine import describe_sql_error

log = structlog.get_logger(__name__)


class Link:
    """One server as the relay finds it; a context for what is sent to it.

    An error passes through the context. The first of an outage is logged as `<what>_lost`, the
    others are not; the end of the outage as `<what>_recovered`. `probe` does what shows that the
    server takes writes again, and raises one of `errors` else. `about` stands in both lines.
    """

    def __init__(
        self,
        what: str,
        probe: Callable[[], object],
        *,
        errors: type[Exception],
        describe: Callable[[Any], str],
        **about: str,
    ) -> None:
        self._what = what
        self._probe = probe
        self._errors = errors
        self._describe = describe
        self._about = about
        self._lost_since_s: float | None = None

    def check(self) -> None:
        """Probe the server if it was lost. Raises one of its errors while it still is.

        A command that happens to succeed does not end an outage: a server that is full or
        read-only answers some of them.
        """
        if self._lost_since_s is None:
            return
        self._probe()
        lost_for_s = round(time.monotonic() - self._lost_since_s, 1)
        self._lost_since_s = None
        log.info(f"{self._what}_recovered", lost_for_s=lost_for_s, **self._about)

    def __enter__(self) -> None:
        """Begin to send commands."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Note the loss if one of the commands failed."""
        if isinstance(exc, self._errors) and self._lost_since_s is None:
            self._lost_since_s = time.monotonic()
            log.error(f"{self._what}_lost", error=self._describe(exc), **self._about)


def redis_link(name: str, probe: Callable[[], object]) -> Link:
    """Make the link to a Redis; its errors are redis.RedisError."""
    return Link("redis", probe, errors=RedisError, describe=_describe_redis_error, redis=name)


def history_link(probe: Callable[[], object]) -> Link:
    """Make the link to history's database; its errors are sqlalchemy.exc.SQLAlchemyError."""
    return Link("history", probe, errors=SQLAlchemyError, describe=describe_sql_error)


def _describe_redis_error(error: RedisError) -> str:
    return f"{type(error).__name__}: {error}"
