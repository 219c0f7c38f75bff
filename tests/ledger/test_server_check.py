"""A Redis server that must not hold balances is told apart from one that may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gatekeeper.ledger.server_check import problems, problems_of
from gatekeeper.sandbox.valkey import EmbeddedValkey

FIT: dict[str, Any] = {
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "evicted_keys": 0,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "role": "master",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Redis]:
    with EmbeddedValkey(tmp_path) as server, Redis.from_url(server.url) as connected:
        yield connected


def test_the_embedded_server_is_fit(client: Redis) -> None:
    assert problems(client) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl"])
def test_every_eviction_policy_is_a_problem(client: Redis, policy: str) -> None:
    client.config_set("maxmemory-policy", policy)
    (problem,) = problems(client)
    assert problem.startswith(f"maxmemory-policy is {policy}")


def test_without_an_append_only_file_a_restart_loses_calls(client: Redis) -> None:
    client.config_set("appendonly", "no")
    (problem,) = problems(client)
    assert problem.startswith("appendonly is off")


def test_a_replica_takes_no_writes(client: Redis) -> None:
    client.replicaof("127.0.0.1", "1")
    assert problems(client) == ["the server is a replica and takes no writes"]


def test_a_server_that_forbids_info_is_not_checked(client: Redis) -> None:
    client.acl_setuser("default", enabled=True, nopass=True, commands=["-info"])
    assert problems(client) == ["the server could not be checked: it does not allow INFO"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"redis_version": "6.2.14"}, "the server is version 6.2.14; 7.0 or later is needed"),
        ({"redis_version": "7.0.15"}, None),
        ({"redis_version": "10.1.0"}, None),
        ({"redis_version": "unstable"}, "the server's version could not be checked"),
        ({"redis_version": None}, "the server's version could not be checked"),
        (
            {"maxmemory_policy": None},
            "maxmemory-policy could not be checked; it must be noeviction",
        ),
        ({"aof_enabled": None}, "appendonly could not be checked; it must be on"),
        (
            {"aof_last_write_status": "err"},
            "the append-only file could not be written last time: the disk may be full",
        ),
        (
            {"evicted_keys": 12},
            "12 keys have been evicted since the server started; run an audit",
        ),
    ],
)
def test_what_a_server_says_of_itself(change: dict[str, Any], problem: str | None) -> None:
    info = {name: value for name, value in (FIT | change).items() if value is not None}
    assert problems_of(info) == ([problem] if problem else [])
