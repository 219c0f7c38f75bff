"""`make run`: the processes of the Procfile on one machine, with a real .env."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from rq import Worker

from gatekeeper.jobs import QUEUES
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stack import free_port
from tests.cli.conftest import open_account
from tests.cli.stories import switch_on
from tests.conftest import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONG_RUNNING = ("web", "relay", *QUEUES)


class MakeRun:
    """`make run` in a folder with a Procfile and a .env, by the Makefile of the project."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self._log = folder / "run.log"
        shutil.copy(ROOT / "Procfile", folder)
        installed = Path(sys.executable).parent
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *("make", f"--file={ROOT / 'Makefile'}", f"BIN={installed}"),
                    *("--assume-old=.venv/installed", "run"),
                ],
                env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", ""), **env},
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        return self._log.read_text()

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal tells everyone."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(30)


@contextmanager
def make_run(folder: Path, **env: str) -> Iterator[MakeRun]:
    run = MakeRun(folder, env)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.interrupt()


@pytest.fixture
def port(env: dict[str, str], ledger: Ledger, tmp_path: Path) -> int:
    """Write a .env that names a port."""
    settings = env | {"PORT": str(free_port()), "WEB_HOST": "127.0.0.1"}
    settings["PRODUCT_NAME"] = '"Ours # and yours"'  # read alike by nobody but one reader
    (tmp_path / ".env").write_text("".join(f"{n}={value}\n" for n, value in settings.items()))
    return int(settings["PORT"])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def test_every_process_runs_on_and_the_web_listens_where_the_file_says(
    port: int, env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    queues = Redis.from_url(env["REDIS_URL"])
    with make_run(tmp_path) as run:
        wait_until(lambda: answers(port), deadline_s=60)
        wait_until(lambda: Worker.count(connection=queues) == len(QUEUES), deadline_s=60)
        started = set(re.findall(r"(\w+)\.1 started", run.output()))
        assert started == set(LONG_RUNNING)
        # Owed work goes its way through the relay and a worker; nothing has ended.
        account_id = open_account(ledger)
        switch_on(ledger, account_id, threshold=5, amount=20)
        wait_until(lambda: ledger.accounts.account(account_id).incident_id, deadline_s=60)
        assert answers(port)
        assert run.process.poll() is None
        run.interrupt()
    assert not answers(port)


def test_the_environment_wins_over_the_file(port: int, tmp_path: Path) -> None:
    other = free_port()
    with make_run(tmp_path, PORT=str(other)) as run:
        wait_until(lambda: answers(other), deadline_s=60)
        assert not answers(port)
        assert run.process.poll() is None


def test_nothing_starts_that_must_not_be_released(port: int, tmp_path: Path) -> None:
    with make_run(tmp_path, SHARDS="many") as run:
        assert run.process.wait(60) != 0
    assert "SHARDS: must be a whole number" in run.output()
    assert "web.1" not in run.output()
    assert not answers(port)
