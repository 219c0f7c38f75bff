"""The long-running processes: they start, work, say what is wrong, and end when asked to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue, Worker

from gatekeeper.history.engine import open_history
from gatekeeper.history.lag import read_lag
from gatekeeper.history.queries import entries_page
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.process_session import kill_session
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.cli.conftest import DEAD_PORT, open_account
from tests.cli.stories import switch_on
from tests.conftest import wait_until

pytestmark = pytest.mark.slow

OPS = {"OPS_USERNAME": "oncall", "OPS_PASSWORD": "ops-password"}


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def output(self) -> str:
        return self.log.read_text()


@contextmanager
def running(directory: Path, env: dict[str, str], *args: str) -> Iterator[Running]:
    log = directory / "process.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gatekeeper", *args],
            env=env | {"TMPDIR": str(_folder(directory, "tmp"))},
            cwd=_folder(directory, "cwd"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, log)
    finally:
        kill_session(process)  # with the server's own processes, which would go on


def _folder(directory: Path, name: str) -> Path:
    (directory / name).mkdir(exist_ok=True)
    return directory / name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(port: int, path: str) -> bytes | None:
    credentials = b64encode(b"oncall:ops-password").decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Basic {credentials}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            body: bytes = response.read()
            return body
    except (urllib.error.URLError, ConnectionError):
        return None


@pytest.fixture
def web_env(env: dict[str, str]) -> dict[str, str]:
    return env | OPS | {"PORT": str(_free_port()), "WEB_HOST": "127.0.0.1"}


def test_serve_answers_and_ends_when_asked(
    web_env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    port = int(web_env["PORT"])
    with running(tmp_path, web_env, "serve") as web:
        wait_until(lambda: _get(port, "/healthz"))
        assert _get(port, "/readyz") is not None
        assert web.terminate() == 0
    assert ledger.client.get(ledger.keys.shard_count()) == web_env["SHARDS"]
    for line in web.output().splitlines():
        assert json.loads(line)["event"]


def test_serve_counts_across_its_processes_and_leaves_nothing_behind(
    web_env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    port = int(web_env["PORT"])
    with running(tmp_path, web_env | {"WEB_WORKERS": "2"}, "serve") as web:
        wait_until(lambda: web.output().count("Started worker-") == 2)
        (folder,) = (tmp_path / "tmp").iterdir()
        assert len(list(folder.glob("counter_*.db"))) == 2
        assert b"gatekeeper_decisions_total" in (_get(port, "/metrics") or b"")
        assert web.terminate() == 0
    assert list((tmp_path / "tmp").iterdir()) == []


def test_serve_starts_while_the_ledger_is_away_and_says_so(
    web_env: dict[str, str], tmp_path: Path
) -> None:
    port = int(web_env["PORT"])
    dead = web_env | {"REDIS_URL": f"redis://someone:hunter2@127.0.0.1:{DEAD_PORT}/0"}
    with running(tmp_path, dead, "serve") as web:
        wait_until(lambda: _get(port, "/healthz"))
        assert web.terminate() == 0
    assert "the ledger cannot be reached: connection refused" in web.output()
    assert "hunter2" not in web.output()


@pytest.mark.parametrize("args", [("serve",), ("relay",), ("work", "charges")])
def test_another_number_of_shards_is_refused_at_once(
    web_env: dict[str, str], ledger: Ledger, tmp_path: Path, args: tuple[str, ...]
) -> None:
    ledger.client.set(ledger.keys.shard_count(), "1")
    with running(tmp_path, web_env, *args) as refused:
        assert refused.process.wait(20) == 1
    assert refused.output() == "Error: SHARDS is 4, but this ledger was started with 1\n"


def test_the_relay_brings_owed_work_to_a_worker_and_both_end_when_asked(
    env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    account_id = open_account(ledger)
    queues = Redis.from_url(env["REDIS_URL"])
    with running(_folder(tmp_path, "relay"), env, "relay") as relay:
        switch_on(ledger, account_id, threshold=5, amount=20)  # without a card
        wait_until(lambda: Queue("charges", connection=queues).count == 1)
        with running(_folder(tmp_path, "work"), env, "work", "charges") as work:
            wait_until(lambda: Worker.count(connection=queues) == 1)
            wait_until(lambda: ledger.accounts.account(account_id).incident_id)
            assert work.terminate() == 0
        assert relay.terminate() == 0
    assert "owed_task_enqueued" in relay.output()


def test_the_relay_makes_the_tables_and_copies_the_log(
    env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    account_id = open_account(ledger)
    engine = open_history(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    with running(tmp_path, env | {"DATABASE_URL": str(engine.url)}, "relay") as relay:
        wait_until(lambda: read_lag(ledger).entries == 0)
        assert relay.terminate() == 0
    (entry,) = entries_page(engine, account_id).items
    assert entry == next(iter(ledger.log.entries(account_id)))
    engine.dispose()


def test_the_relay_brings_owed_work_while_the_database_hangs_and_ends_when_asked(
    env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    """What listens there never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://gate:hunter2@127.0.0.1:{silent.getsockname()[1]}/gate"
        with running(tmp_path, env | {"DATABASE_URL": url}, "relay") as relay:
            silent.accept()
            switch_on(ledger, open_account(ledger), threshold=5, amount=20)
            queues = Redis.from_url(env["REDIS_URL"])
            wait_until(lambda: Queue("charges", connection=queues).count == 1)
            assert relay.terminate() == 0
    assert "hunter2" not in relay.output()
    assert "Traceback" not in relay.output()
    assert "Fatal" not in relay.output()


def test_relay_and_worker_warn_of_a_server_that_loses_balances(
    env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    ledger.client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with running(tmp_path, env, "relay") as relay:
            wait_until(lambda: "allkeys-lru" in relay.output())
            assert relay.terminate() == 0
    finally:
        ledger.client.config_set("maxmemory-policy", "noeviction")
    (line,) = [line for line in relay.output().splitlines() if "allkeys-lru" in line]
    assert json.loads(line)["level"] == "warning"


def test_a_worker_waits_for_its_queue_and_says_so_once(
    env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    """Processes start in any order; where one that ends takes the others with it, none may."""
    port = _free_port()
    away = env | {"QUEUE_REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    with running(tmp_path, away, "work", "emails") as work:
        wait_until(lambda: "redis_lost" in work.output())
        with EmbeddedValkey(tmp_path / "queues", port=port) as queues:
            with Redis.from_url(queues.url) as client:
                wait_until(lambda: Worker.count(connection=client) == 1)
            assert work.terminate() == 0
    lines = [json.loads(line) for line in work.output().splitlines()]
    (waited,) = [line for line in lines if line["event"] == "redis_lost"]
    assert waited["problem"] == "RQ's Redis cannot be reached: connection refused"


def test_a_worker_that_waits_ends_when_asked(env: dict[str, str], tmp_path: Path) -> None:
    dead = env | {"QUEUE_REDIS_URL": f"redis://someone:hunter2@127.0.0.1:{DEAD_PORT}/0"}
    with running(tmp_path, dead, "work", "emails") as work:
        wait_until(lambda: "redis_lost" in work.output())
        assert work.terminate() == 0
    assert "hunter2" not in work.output()
    assert "Traceback" not in work.output()


def test_a_signal_that_comes_within_a_finalizer_is_not_lost() -> None:
    """Python only reports what is raised there, and goes on: a worker did, and never ended."""
    program = """
import os, signal
from gatekeeper.cli.processes import end_when_asked
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
end_when_asked()
Finalized()
print("went on")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_serve_refuses_a_port_that_is_taken(
    web_env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    port = int(web_env["PORT"])
    with running(_folder(tmp_path, "first"), web_env, "serve") as first:
        wait_until(lambda: _get(port, "/healthz"))
        for host in ("127.0.0.1", "0.0.0.0"):
            with running(
                _folder(tmp_path, "second"), web_env | {"WEB_HOST": host}, "serve"
            ) as second:
                assert second.process.wait(20) == 1
            said = second.output().splitlines()[-1]
            assert said == f"Error: cannot listen at {host}:{port}: address already in use"
        assert first.terminate() == 0
    # A port that was in use a moment ago is free.
    with running(_folder(tmp_path, "third"), web_env, "serve") as third:
        wait_until(lambda: _get(port, "/healthz"))
        assert third.terminate() == 0


def test_there_is_no_other_queue(env: dict[str, str], tmp_path: Path) -> None:
    with running(tmp_path, env, "work", "default") as work:
        assert work.process.wait(20) == 2
    assert "'charges', 'emails', 'upkeep'" in work.output()
