"""Redis clients for the ledger. Retries are off: a verb's outcome is known or unknown."""

from __future__ import annotations

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def connect(url: str, *, timeout_s: float, max_connections: int) -> Redis:
    """Make a client whose every step is bounded by `timeout_s`, and that never retries.

    redis-py 8 retries timeouts and connection errors ten times by default: a debit whose reply
    was lost would be sent again. The verbs check their idempotency keys all the same, but a
    caller's time is not spent on hidden attempts. Nothing is sent before the first command.
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
