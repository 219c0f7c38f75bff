"""Worker processes, as the Procfile starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
RUN = (
    "import sys; from gatekeeper.bootstrap import parts; from workers.process import run_worker;"
    " run_worker(sys.argv[1], parts())"
)
EXIT_TIMEOUT_S = 20.0


class WorkerProcess:
    """One worker of one queue, started in a directory that has no settings of a developer."""

    def __init__(self, queue: str, settings: Mapping[str, str], directory: Path) -> None:
        self._arguments = [sys.executable, "-c", RUN, queue]
        self._env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings}
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._arguments,
            env=self._env,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pid in [*self.children, self.pid]:
            _signal(pid, signal.SIGKILL)
        self.wait()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def children(self) -> list[int]:
        """The processes that run its jobs."""
        listing = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(pid) for pid in listing.stdout.split()]

    def terminate_everything(self) -> None:
        """Send SIGTERM to the worker and to what runs its job, as a PaaS does."""
        for pid in [self.pid, *self.children]:
            _signal(pid, signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; returns the exit status."""
        assert self._process is not None
        return self._process.wait(EXIT_TIMEOUT_S)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
