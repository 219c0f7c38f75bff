"""`gatekeeper audit` of a large deployment: every entry is in SQL, and still in the log as well.

A busy day is written by the ledger's verbs, copied into SQL by the relay's own code, and then
multiplied in both (see bench/many_days.py).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from bench.busy_log import BusyDay
from bench.databases import Database
from bench.figures import Reading
from bench.many_days import ManyDays
from bench.rounds import InvalidRound, Progress
from gatekeeper.audit import audit_ledger, entries_to_read
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import HistoryCopy
from gatekeeper.sandbox.valkey import EmbeddedValkey

#: Promised for a million entries.
SECONDS_MAX: Final = 60


def measure_audit(
    directory: Path,
    databases: Sequence[Database],
    progress: Progress,
    *,
    log_entries: int,
    times: int,
) -> list[Reading]:
    """Audit so many times a log of so many entries. Raises InvalidRound."""
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedValkey(directory))
        client = stack.enter_context(connect(server.url, timeout_s=60, max_connections=2))
        progress(f"writing a log of {log_entries:,} entries, {times} times")
        day = BusyDay(client)
        day.write(log_entries)
        many = ManyDays(day.ledger, times)
        engines = [stack.enter_context(each.empty_history()).engine for each in databases]
        for engine in engines:
            HistoryCopy(day.ledger, engine).copy_all()
            many.multiply_history(engine)
        many.multiply_ledger()
        return [
            _audit(day.ledger, engine, database, progress)
            for engine, database in zip(engines, databases, strict=True)
        ]


def _audit(ledger: Ledger, engine: Engine, database: Database, progress: Progress) -> Reading:
    in_log = ledger.log.length(0)
    if entries_to_read(ledger, engine, None) != 2 * in_log:
        raise InvalidRound("not every entry of the log is in SQL as well")
    started_s = time.perf_counter()
    differences = audit_ledger(ledger, engine)
    taken_s = time.perf_counter() - started_s
    if differences:
        raise InvalidRound(f"the audit found {len(differences)} differences: {differences[0]}")
    progress(f"an audit of {in_log:,} entries, {database.name}: {taken_s:.1f} s")
    name = f"audit of {in_log:,} entries in the log and in {database.name}"
    return Reading(name, "s", taken_s, most_wanted=SECONDS_MAX)
