"""A relay process of its own, for tests that kill it: URL, number of shards, lease in seconds."""

from __future__ import annotations

import threading

from redis import Redis

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import Relay


def run_relay(url: str, shards: int, lease_s: float) -> None:
    """Relay until killed."""
    ledger = Ledger(connect(url, timeout_s=5, max_connections=4), shards=shards)
    Relay(ledger, Redis.from_url(url, socket_timeout=5), lease_s=lease_s).run(threading.Event())
