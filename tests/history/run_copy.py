"""A process of its own that copies, for tests that kill it."""

from __future__ import annotations

import threading

from gatekeeper.history.engine import open_history
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import HistoryCopy


def run_copy(redis_url: str, shards: int, database_url: str) -> None:
    """Copy until killed."""
    ledger = Ledger(connect(redis_url, timeout_s=5, max_connections=4), shards=shards)
    engine = open_history(database_url)
    HistoryCopy(ledger, engine, look_interval_s=0.002).run(threading.Event())
