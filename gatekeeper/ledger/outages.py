"""When the ledger could not be asked, as the processes noted once it could be again (R12)."""

from __future__ import annotations

from redis import Redis

from gatekeeper.ledger.keys import CALL_KEPT_S, Keys


class Outages:
    """Notes of outages. Raise redis.RedisError."""

    def __init__(self, client: Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.outages()

    def note(self, from_ms: int, to_ms: int) -> None:
        """Note that a process decided without the ledger between two instants.

        Notes are kept as long as calls are.
        """
        pipeline = self._client.pipeline(transaction=True)
        pipeline.zadd(self._key, {f"{from_ms}-{to_ms}": to_ms})
        pipeline.zremrangebyscore(self._key, "-inf", to_ms - CALL_KEPT_S * 1000)
        pipeline.execute()

    def was_away(self, from_ms: int, to_ms: int) -> bool:
        """Tell whether any noted outage touches the time between two instants."""
        later = self._client.zrangebyscore(self._key, from_ms, "+inf")
        return any(int(str(note).split("-")[0]) <= to_ms for note in later)
