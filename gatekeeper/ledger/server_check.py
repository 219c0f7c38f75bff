"""Whether a Redis server is fit to hold balances: its version, eviction policy and persistence.

Reads INFO alone, which hosted servers allow where they forbid CONFIG.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import redis
from redis import Redis

#: Scripts, streams and consumer groups work as tested from here on. Valkey calls itself 7.2.
MIN_VERSION: Final = (7, 0)


def problems(client: Redis) -> list[str]:
    """List what is wrong with the server, one sentence each; empty when nothing is.

    What the server doesn't tell is listed as not checked. Raises redis.RedisError when it does not
    answer.
    """
    try:
        info = cast(Mapping[str, Any], client.info())
    except redis.ResponseError:
        return ["the server could not be checked: it does not allow INFO"]
    return problems_of(info)


def problems_of(info: Mapping[str, Any]) -> list[str]:
    """List what is wrong with a server that describes itself so."""
    checks = (_version, _eviction, _evicted, _persistence, _role)
    return [problem for check in checks if (problem := check(info))]


def _version(info: Mapping[str, Any]) -> str:
    text = str(info.get("redis_version", ""))
    try:
        version = tuple(int(part) for part in text.split(".")[:2])
    except ValueError:
        return "the server's version could not be checked"
    if version < MIN_VERSION:
        return f"the server is version {text}; 7.0 or later is needed"
    return ""


def _eviction(info: Mapping[str, Any]) -> str:
    policy = info.get("maxmemory_policy")
    if policy is None:
        return "maxmemory-policy could not be checked; it must be noeviction"
    if policy != "noeviction":
        # volatile-* too: what keeps a call or a payment from counting twice has a lifetime.
        return f"maxmemory-policy is {policy}: balances or records can be evicted; set noeviction"
    return ""


def _evicted(info: Mapping[str, Any]) -> str:
    if evicted := int(info.get("evicted_keys", 0)):
        return f"{evicted} keys have been evicted since the server started; run an audit"
    return ""


def _persistence(info: Mapping[str, Any]) -> str:
    enabled = info.get("aof_enabled")
    if enabled is None:
        return "appendonly could not be checked; it must be on"
    if not enabled:
        return "appendonly is off: a restart loses what happened since the last snapshot"
    if info.get("aof_last_write_status", "ok") != "ok":
        return "the append-only file could not be written last time: the disk may be full"
    return ""


def _role(info: Mapping[str, Any]) -> str:
    if info.get("role") in ("slave", "replica"):
        return "the server is a replica and takes no writes"
    return ""
