"""Real servers for the tests, started once a test process, on free ports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey

#: An hour with nothing special about it; tests that care about time move on from here.
NOON_MS = 1_763_812_800_000


class MovableClock:
    """A clock that tests move by hand."""

    def __init__(self, now_ms: int = NOON_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, *, s: float) -> None:
        self.now_ms += int(s * 1000)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    directory: Path = tmp_path_factory.mktemp("valkey")
    with EmbeddedValkey(directory) as server:
        yield server


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(params=[1, 16], ids=["1-shard", "16-shards"])
def ledger(
    request: pytest.FixtureRequest, valkey: EmbeddedValkey, clock: MovableClock
) -> Iterator[Ledger]:
    """An empty ledger on a real server, with one shard and with sixteen."""
    client = connect(valkey.url, timeout_s=10, max_connections=128)
    client.flushall()
    yield Ledger(client, shards=request.param, clock=clock)
    client.close()


def wait_until(condition: Callable[[], object], *, deadline_s: float = 30.0) -> None:
    """Wait until the condition holds; fail when it still does not at the deadline."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)
