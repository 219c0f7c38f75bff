"""Whether a Redis server is fit to hold balances: its version, eviction policy and persistence.

Reads INFO alone, which hosted servers allow where they forbid CONFIG.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import redis
from redis import Redis

#: Scripts, streams and consumer groups work as tested from here on. Valkey calls itself 7.2.
MIN_VERSION: Final = (7, 0)


class Severity(StrEnum):
    """What a problem means for whoever wants to keep balances on the server."""

    UNFIT = "unfit"  # balances would be lost, or cannot be written
    NOTABLE = "notable"  # worth a look, or the server doesn't tell


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a server, in one sentence."""

    severity: Severity
    sentence: str


def examine(client: Redis) -> list[Problem]:
    """List what is wrong with the server; empty when nothing is.

    What the server doesn't tell is listed as not checked. Raises redis.RedisError when it does not
    answer.
    """
    try:
        info = cast(Mapping[str, Any], client.info())
    except redis.ResponseError:
        return [_notable("the server could not be checked: it does not allow INFO")]
    return examine_info(info)


def examine_info(info: Mapping[str, Any]) -> list[Problem]:
    """List what is wrong with a server that describes itself so."""
    checks = (_version, _eviction, _evicted, _persistence, _role)
    return [problem for check in checks if (problem := check(info)) is not None]


def problems(client: Redis) -> list[str]:
    """List the sentences of `examine`. Raises redis.RedisError when the server does not answer."""
    return [problem.sentence for problem in examine(client)]


def _unfit(sentence: str) -> Problem:
    return Problem(Severity.UNFIT, sentence)


def _notable(sentence: str) -> Problem:
    return Problem(Severity.NOTABLE, sentence)


def _version(info: Mapping[str, Any]) -> Problem | None:
    text = str(info.get("redis_version", ""))
    try:
        version = tuple(int(part) for part in text.split(".")[:2])
    except ValueError:
        return _notable("the server's version could not be checked")
    if version < MIN_VERSION:
        return _unfit(f"the server is version {text}; 7.0 or later is needed")
    return None


def _eviction(info: Mapping[str, Any]) -> Problem | None:
    policy = info.get("maxmemory_policy")
    if policy is None:
        return _notable("maxmemory-policy could not be checked; it must be noeviction")
    if policy != "noeviction":
        # volatile-* too: what keeps a call or a payment from counting twice has a lifetime.
        return _unfit(
            f"maxmemory-policy is {policy}: balances or records can be evicted; set"
            " maxmemory-policy noeviction"
        )
    return None


def _evicted(info: Mapping[str, Any]) -> Problem | None:
    """Tell of evictions in the past: they can't be undone, and need not stop anything."""
    if evicted := int(info.get("evicted_keys", 0)):
        return _notable(f"{evicted} keys have been evicted since the server started; run an audit")
    return None


def _persistence(info: Mapping[str, Any]) -> Problem | None:
    enabled = info.get("aof_enabled")
    if enabled is None:
        return _notable("appendonly could not be checked; it must be on")
    if not enabled:
        return _unfit(
            "appendonly is off: a restart loses what happened since the last snapshot; set"
            " appendonly yes"
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        return _unfit("the append-only file could not be written last time: the disk may be full")
    return None


def _role(info: Mapping[str, Any]) -> Problem | None:
    if info.get("role") in ("slave", "replica"):
        return _unfit("the server is a replica and takes no writes")
    return None
