"""Owed work and history beside each other: one waits, fails or stops without holding the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Engine, event
from structlog.testing import capture_logs

from gatekeeper.history.engine import open_history, writing
from gatekeeper.history.lag import read_lag
from gatekeeper.history.migrations import migrate
from gatekeeper.jobs import job_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import HistoryCopy, Relay, run_beside
from tests.conftest import wait_until
from tests.relay.conftest import Queues, owe_charge


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_history(f"sqlite:///{tmp_path / 'history.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def relay(running_ledger: Ledger, queue_redis: Redis) -> Relay:
    return Relay(running_ledger, queue_redis)


@pytest.fixture
def history(running_ledger: Ledger, engine: Engine) -> HistoryCopy:
    return HistoryCopy(running_ledger, engine, look_interval_s=0.02)


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    stop = threading.Event()
    yield stop
    stop.set()


def test_both_work_until_they_are_told_to_stop(
    relay: Relay,
    history: HistoryCopy,
    stop: threading.Event,
    running_ledger: Ledger,
    queue_redis: Redis,
) -> None:
    task = owe_charge(running_ledger)
    with ThreadPoolExecutor(1) as pool, capture_logs() as logs:
        ended = pool.submit(run_beside, relay, history, stop)
        wait_until(lambda: Queues(queue_redis).job_ids == [job_id(task, 1)])
        wait_until(lambda: read_lag(running_ledger).entries == 0)
        stop.set()
        ended.result(20)
    assert {line["event"] for line in logs} == {"owed_task_enqueued"}


def test_what_history_does_not_expect_ends_both(
    relay: Relay, history: HistoryCopy, stop: threading.Event, engine: Engine
) -> None:
    def break_(_: object) -> None:
        raise LookupError("nobody expects this")

    event.listen(engine, "begin", break_)
    with pytest.raises(LookupError, match="nobody expects this"):
        run_beside(relay, history, stop)


def test_a_database_that_hangs_holds_up_neither_owed_work_nor_the_end(
    relay: Relay,
    history: HistoryCopy,
    stop: threading.Event,
    engine: Engine,
    running_ledger: Ledger,
    queue_redis: Redis,
) -> None:
    migrate(engine)
    with ThreadPoolExecutor(1) as pool, capture_logs() as logs:
        with writing(engine):  # who else writes waits
            task = owe_charge(running_ledger)
            ended = pool.submit(run_beside, relay, history, stop, stop_timeout_s=0.1)
            wait_until(lambda: Queues(queue_redis).job_ids == [job_id(task, 1)])
            wait_until(lambda: engine.pool.checkedout() == 2)  # type: ignore[attr-defined]  # QueuePool has it
            stop.set()
            ended.result(20)
        assert [line for line in logs if line["event"] == "history_abandoned"]
    wait_until(lambda: "history" not in {thread.name for thread in threading.enumerate()})
