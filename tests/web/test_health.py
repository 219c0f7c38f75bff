"""Health: whether the process lives, and whether the ledger takes writes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.history.migrations import migrate
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.relay import HistoryCopy
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.history.copies import last_fields
from tests.web.faults import FAULTS, STALLED, Fault
from tests.web.gate import Gate, days_ago, new_call


def readiness(gate: Gate) -> tuple[int, Any]:
    response = gate.client.get("/readyz")
    return response.status_code, response.get_json()


def test_a_process_lives_without_redis() -> None:
    gate = Gate("redis://127.0.0.1:1/0")
    response = gate.client.get("/healthz")
    assert (response.status_code, response.data) == (200, b"ok\n")
    assert readiness(gate)[0] == 503


def test_ready_with_every_check(gate: Gate) -> None:
    assert readiness(gate) == (
        200,
        {
            "ready": True,
            "checks": {
                "ledger": {
                    "ok": True,
                    "warnings": [],
                    "owed": {"tasks": 0, "oldest_s": 0.0},
                    "unrecorded_calls": 0,
                },
                "history": {"ok": True, "lag": {"entries": 0, "oldest_s": 0.0}},
                "queue": {"ok": True},
            },
        },
    )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_not_ready_while_the_ledger_takes_no_writes(
    gate: Gate, valkey: EmbeddedValkey, fault: Fault
) -> None:
    gate.open_account(5)
    with fault.strikes(valkey):
        gate.incoming(new_call())
        for _ in range(2):
            started_s = time.monotonic()
            status, page = readiness(gate)
            assert time.monotonic() - started_s < 2.0
            assert status == 503
            assert page["ready"] is False
            assert page["checks"]["ledger"]["ok"] is False
            assert page["checks"]["ledger"]["unrecorded_calls"] == 1
            assert set(page["checks"]) == {"ledger", "history", "queue"}
            assert gate.client.get("/healthz").status_code == 200
    # What is recorded later would be recorded in another test's ledger.
    wait_until(lambda: readiness(gate)[1]["checks"]["ledger"]["unrecorded_calls"] == 0)
    assert readiness(gate)[0] == 200


@pytest.mark.parametrize("shards", [1, 16])
def test_calls_are_answered_without_history(gate: Gate, tmp_path: Path, shards: int) -> None:
    """No relay is at work, and nobody asks the database: it is not even there."""
    database_url = f"sqlite:///{tmp_path / 'history.sqlite3'}"
    alone = Gate(gate.redis_url, shards=shards, database_url=database_url)
    alone.open_account(5)
    alone.incoming(new_call())
    status, page = readiness(alone)
    shown = page["checks"]["history"]
    assert (status, shown["ok"], shown["lag"]["entries"]) == (200, True, 3)
    assert 0 <= shown["lag"]["oldest_s"] < 30
    assert not list(tmp_path.iterdir())
    migrate(alone.parts.history)
    HistoryCopy(alone.ledger(), alone.parts.history).copy_all()
    assert readiness(alone)[1]["checks"]["history"]["lag"] == {"entries": 0, "oldest_s": 0.0}
    alone.parts.history.dispose()


def test_history_that_is_a_minute_behind_is_not_well(gate: Gate) -> None:
    gate.open_account(5)
    ledger = gate.ledger()
    (log,) = [ledger.keys.log(shard) for shard in range(ledger.keys.shards)]
    fields = last_fields(ledger, log)
    ledger.client.delete(log)
    ledger.client.xadd(log, fields, id=f"{wall_clock_ms() - 61_000}-0")
    status, page = readiness(gate)
    shown = page["checks"]["history"]
    assert (status, page["ready"], shown["ok"]) == (200, True, False)
    assert shown["lag"]["entries"] == 1
    assert 61 <= shown["lag"]["oldest_s"] < 90


def test_calls_are_answered_without_the_queue(gate: Gate) -> None:
    apart = Gate(gate.redis_url, queue_redis_url="redis://127.0.0.1:1/0")
    status, page = readiness(apart)
    assert status == 200
    assert page["checks"]["queue"] == {"ok": False, "problem": "connection"}


def test_a_stalled_queue_does_not_hold_the_answer(gate: Gate, tmp_path: Any) -> None:
    with EmbeddedValkey(tmp_path) as queue, STALLED.strikes(queue):
        apart = Gate(gate.redis_url, queue_redis_url=queue.url)
        started_s = time.monotonic()
        assert readiness(apart)[0] == 200
        assert time.monotonic() - started_s < 2.0


def test_an_unfit_server_is_a_warning(gate: Gate) -> None:
    with Redis.from_url(gate.redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            status, page = readiness(gate)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    assert status == 200
    (warning,) = page["checks"]["ledger"]["warnings"]
    assert warning.startswith("maxmemory-policy is allkeys-lru")


@pytest.mark.parametrize("shards", [1, 16])
def test_owed_work_shows_how_long_nobody_did_it(gate: Gate, shards: int) -> None:
    sharded = Gate(gate.redis_url, shards=shards)
    able = sharded.open_account(0)
    late = sharded.ledger(days_ago(90 / 86_400))
    settings = TopoffSettings(enabled=True, threshold=50, amount=200)
    late.accounts.set_topoff(able, settings)  # below the threshold: a charge is owed
    for shard in range(shards):
        late.owed.claim_owed(shard, lease_s=15, limit=10)
    shown = readiness(sharded)[1]["checks"]["ledger"]["owed"]
    assert shown["tasks"] == 1
    assert 90 <= shown["oldest_s"] < 120


def test_metrics_are_for_who_knows_the_password(gate: Gate) -> None:
    assert gate.client.get("/metrics").status_code == 404
    served = Gate(gate.redis_url, ops_username="oncall", ops_password="correct horse")
    assert served.client.get("/metrics").status_code == 401
    assert served.client.get("/metrics", auth=("oncall", "wrong")).status_code == 401
    response = served.client.get("/metrics", auth=("oncall", "correct horse"))
    assert response.status_code == 200
    assert response.mimetype == "text/plain"
    page = response.get_data(as_text=True)
    assert "gatekeeper_owed_oldest_seconds 0.0" in page
    assert "gatekeeper_history_lag_entries 0.0" in page
    assert "gatekeeper_history_lag_oldest_seconds 0.0" in page
    assert "gatekeeper_gauges_up 1.0" in page


def test_decisions_and_refusals_are_counted(gate: Gate) -> None:
    gate.open_account(1)
    served = Gate(gate.redis_url, ops_username="oncall", ops_password="correct horse")

    def counted(series: str) -> float:
        page = served.client.get("/metrics", auth=("oncall", "correct horse"))
        lines = page.get_data(as_text=True).splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(series))

    series = {
        'gatekeeper_decisions_total{decision="answer",reason="allotment"}': 1,
        'gatekeeper_decisions_total{decision="drop",reason="empty_topoff_off"}': 1,
        'gatekeeper_refused_requests_total{why="unknown_number"}': 1,
        'gatekeeper_refused_requests_total{why="bad_signature"}': 1,
        'gatekeeper_refused_requests_total{why="misshapen"}': 1,
    }
    before = {name: counted(name) for name in series}
    gate.incoming(new_call())
    gate.incoming(new_call())
    gate.incoming(new_call(), To="+15550009999")
    gate.client.post("/voice/incoming")
    gate.post("/voice/incoming", gate.fields("CA1"))
    assert {name: counted(name) - before[name] for name in series} == series
