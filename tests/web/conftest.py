"""A gate before the tests' own server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.typing import EventDict

from gatekeeper.ledger.client import connect
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.web.gate import Gate


@pytest.fixture
def gate(valkey: EmbeddedValkey) -> Gate:
    """A gate whose ledger is empty."""
    with connect(valkey.url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    return Gate(valkey.url)


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    """The log lines of a test, as events."""
    with structlog.testing.capture_logs() as events:
        yield events
