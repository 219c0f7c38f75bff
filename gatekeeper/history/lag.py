"""How far history is behind the log, read from the ledger alone.

After each commit the relay notes the position at the log itself, as that of a consumer group from
which nobody reads. So nobody who looks has to wait for SQL, and any tool that shows streams shows
the group's lag. The position that counts is the one in SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from redis import Redis, ResponseError

from gatekeeper.domain.account_audit import entry_position
from gatekeeper.history.store import LOG_START, Position
from gatekeeper.ledger.ledger import Ledger

_GROUP: Final = "history"


@dataclass(frozen=True, slots=True)
class Lag:
    """Entries that are not in SQL yet, and for how long the oldest of them has been waiting."""

    entries: int
    oldest_s: float


#: The noted position's entry, and how many entries Redis counts behind it, if it can.
_Noted = tuple[str, int | None]
_NOTHING_NOTED: Final[_Noted] = (LOG_START.entry_id, None)


def note_position(client: Redis, log_key: str, position: Position) -> None:
    """Note at a log how far it has been copied. Raises redis.RedisError.

    A server that refuses the note, being full for example, is no reason not to copy.
    """
    entry_id, entries = position.entry_id, position.entries
    try:
        client.xgroup_setid(log_key, _GROUP, entry_id, entries_read=entries)
    except ResponseError:
        with suppress(ResponseError):
            client.xgroup_create(log_key, _GROUP, entry_id, entries_read=entries)


def read_lag(ledger: Ledger) -> Lag:
    """Read the lag of all shards together, in two round trips. Raises redis.RedisError."""
    logs = [ledger.keys.log(shard) for shard in range(ledger.keys.shards)]
    now_ms, noted = _read_noted(ledger.client, logs)
    lags = _read_behind(ledger.client, dict(zip(logs, noted, strict=True)), now_ms)
    return Lag(sum(lag.entries for lag in lags), max((lag.oldest_s for lag in lags), default=0.0))


def _read_noted(client: Redis, logs: Sequence[str]) -> tuple[int, list[_Noted]]:
    """Read the server's time, and what is noted at each log."""
    with client.pipeline(transaction=False) as pipeline:
        pipeline.time()
        for log_key in logs:
            pipeline.xinfo_groups(log_key)
        time, *replies = pipeline.execute(raise_on_error=False)
    for reply in (time, *replies):
        if isinstance(reply, Exception) and str(reply) != "no such key":
            raise reply
    seconds, microseconds = time
    return seconds * 1000 + microseconds // 1000, [_noted(reply) for reply in replies]


def _noted(groups: list[dict[str, Any]] | Exception) -> _Noted:
    if isinstance(groups, Exception):  # there is no log yet
        return _NOTHING_NOTED
    for group in groups:
        if group["name"] == _GROUP:
            return group["last-delivered-id"], group["lag"]
    return _NOTHING_NOTED


def _read_behind(client: Redis, noted: dict[str, _Noted], now_ms: int) -> list[Lag]:
    """Read what stands behind the noted positions; logs without anything there are left out."""
    with client.pipeline(transaction=False) as pipeline:
        for log_key, (entry_id, _) in noted.items():
            pipeline.xrange(log_key, min=f"({entry_id}", count=1)
            pipeline.xlen(log_key)
        replies = pipeline.execute()
    lags = []
    for (_, counted), oldest, length in zip(
        noted.values(), replies[::2], replies[1::2], strict=True
    ):
        if oldest:
            # Where Redis cannot tell it is no more than what the log still holds.
            behind = length if counted is None else counted
            waits_ms = now_ms - entry_position(oldest[0][0])[0]
            lags.append(Lag(max(1, behind), max(0, waits_ms) / 1000))
    return lags
