"""Redis clients for the ledger. Retries are off: a verb's outcome is known or unknown."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from redis import BlockingConnectionPool, Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

_DATABASE: Final = re.compile(r"/?|/[0-9]{1,5}")
_TLS_OPTION: Final = "ssl_"


def check_redis_url(url: str) -> None:
    """Raise ValueError, without any part of the URL, if it is not all that a client goes by.

    redis-py lets a URL's options win over the arguments of `connect`, so none but those about TLS
    may stand there; and it goes on to database 0 where the path is no number.
    """
    parts = urlsplit(url)
    if not _DATABASE.fullmatch(parts.path) or parts.fragment:
        raise ValueError("after the host only the number of a database may stand, such as /0")
    options = [name for name, _ in parse_qsl(parts.query, keep_blank_values=True)]
    if not all(name.startswith(_TLS_OPTION) for name in options):
        raise ValueError("only options that begin with ssl_ may stand in it")
    if options and parts.scheme != "rediss":
        raise ValueError("options that begin with ssl_ are for rediss:// alone")
    if not _makes_a_connection(url):
        raise ValueError("has an option that redis-py does not take, or not with this value")


def _makes_a_connection(url: str) -> bool:
    # What is raised may quote the URL, so it must not even be chained.
    with suppress(TypeError, ValueError, RedisError):
        BlockingConnectionPool.from_url(url, max_connections=1).make_connection()  # type: ignore[no-untyped-call]  # it has no types
        return True
    return False


def connect(url: str, *, timeout_s: float, max_connections: int) -> Redis:
    """Make a client whose every step is bounded by `timeout_s`, and that never retries.

    redis-py 8 retries timeouts and connection errors ten times by default: a debit whose reply
    was lost would be sent again. The verbs check their idempotency keys all the same, but a
    caller's time is not spent on hidden attempts. Nothing is sent before the first command. The
    URL has passed `check_redis_url`.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=max_connections,
        timeout=timeout_s,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        retry_on_timeout=False,
        health_check_interval=0,
        decode_responses=True,
        protocol=2,
    )
    return Redis(connection_pool=pool)
