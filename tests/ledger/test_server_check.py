"""A Redis server that must not hold balances is told apart from one that may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gatekeeper.ledger.server_check import Severity, examine, examine_info, problems
from gatekeeper.sandbox.valkey import EmbeddedValkey

FIT: dict[str, Any] = {
    "redis_version": "7.2.4",
    "maxmemory_policy": "noeviction",
    "evicted_keys": 0,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "role": "master",
}
UNFIT, NOTABLE = Severity.UNFIT, Severity.NOTABLE


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Redis]:
    with EmbeddedValkey(tmp_path) as server, Redis.from_url(server.url) as connected:
        yield connected


def test_the_embedded_server_is_fit(client: Redis) -> None:
    assert problems(client) == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl"])
def test_every_eviction_policy_is_a_problem(client: Redis, policy: str) -> None:
    client.config_set("maxmemory-policy", policy)
    (problem,) = examine(client)
    assert problem.sentence.startswith(f"maxmemory-policy is {policy}")
    assert problem.severity is Severity.UNFIT


def test_without_an_append_only_file_a_restart_loses_calls(client: Redis) -> None:
    client.config_set("appendonly", "no")
    (problem,) = examine(client)
    assert problem.sentence.startswith("appendonly is off")
    assert problem.severity is Severity.UNFIT


def test_a_replica_takes_no_writes(client: Redis) -> None:
    client.replicaof("127.0.0.1", "1")
    assert problems(client) == ["the server is a replica and takes no writes"]


def test_a_server_that_forbids_info_is_not_checked(client: Redis) -> None:
    client.acl_setuser("default", enabled=True, nopass=True, commands=["-info"])
    assert problems(client) == ["the server could not be checked: it does not allow INFO"]


@pytest.mark.parametrize(
    ("change", "severity", "problem"),
    [
        (
            {"redis_version": "6.2.14"},
            UNFIT,
            "the server is version 6.2.14; 7.0 or later is needed",
        ),
        ({"redis_version": "unstable"}, NOTABLE, "the server's version could not be checked"),
        ({"redis_version": None}, NOTABLE, "the server's version could not be checked"),
        (
            {"maxmemory_policy": None},
            NOTABLE,
            "maxmemory-policy could not be checked; it must be noeviction",
        ),
        ({"aof_enabled": None}, NOTABLE, "appendonly could not be checked; it must be on"),
        (
            {"aof_last_write_status": "err"},
            UNFIT,
            "the append-only file could not be written last time: the disk may be full",
        ),
        (
            {"evicted_keys": 12},
            NOTABLE,
            "12 keys have been evicted since the server started; run an audit",
        ),
    ],
)
def test_what_a_server_says_of_itself(
    change: dict[str, Any], severity: Severity, problem: str
) -> None:
    info = {name: value for name, value in (FIT | change).items() if value is not None}
    (found,) = examine_info(info)
    assert (found.severity, found.sentence) == (severity, problem)


@pytest.mark.parametrize("version", ["7.0.15", "7.2.4", "10.1.0"])
def test_a_version_that_will_do(version: str) -> None:
    assert examine_info(FIT | {"redis_version": version}) == []
