"""Worker processes, killed with the child that runs their job."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from rq import Queue
from rq.worker import WorkerStatus

from gatekeeper.sandbox.process_session import kill_session, session_members

_DEATH_TIMEOUT_S = 20.0


@dataclass(frozen=True, eq=False)
class WorkerProcess:
    """One worker. Only it and its children hold the writing end of the pipe `lifeline`."""

    process: subprocess.Popen[bytes]
    lifeline: int

    @classmethod
    def start(cls, queue_name: str, settings: Mapping[str, str], directory: Path) -> WorkerProcess:
        """Start `gatekeeper work QUEUE` with these settings."""
        lifeline, writing_end = os.pipe()
        with (directory / f"{queue_name}.log").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "gatekeeper", "work", queue_name],
                env={"PATH": os.environ["PATH"], **settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                start_new_session=True,
                pass_fds=[writing_end],
            )
        os.close(writing_end)
        return cls(process, lifeline)

    def kill(self) -> None:
        """Kill the worker and its child with SIGKILL, and make sure that both are dead."""
        kill_session(self.process)
        self.wait_dead()

    def kill_alone(self) -> None:
        """Kill the worker with SIGKILL; its child lives on."""
        self.process.kill()
        self.process.wait()

    def kill_child(self) -> None:
        """Kill the child that runs the job with SIGKILL, as the kernel does when out of memory."""
        (child,) = set(session_members(self.process.pid)) - {self.process.pid}
        os.kill(child, signal.SIGKILL)

    def wait_dead(self) -> None:
        """Wait until neither the worker nor a child of it lives."""
        ended, _, _ = select.select([self.lifeline], [], [], _DEATH_TIMEOUT_S)
        assert ended, "the worker or its child is still alive"
        assert os.read(self.lifeline, 1) == b""
        os.close(self.lifeline)


class WorkerPool:
    """Some workers on one queue, so that one is ready to go on where another was killed."""

    def __init__(
        self, queue: Queue, settings: Mapping[str, str], directory: Path, *, size: int
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._directory = directory
        self._alive = [self._start() for _ in range(size)]

    def busy(self) -> WorkerProcess:
        """Return the one worker that has a job."""
        (worker,) = self._busy()
        return worker

    def kill_busy(self) -> None:
        """Kill the one worker that has a job, and its child. Another is started in its place."""
        worker = self.busy()
        worker.kill()
        self._replace(worker)

    def orphan_busy(self) -> WorkerProcess:
        """Kill the one worker that has a job, and leave its child alive; returns what is left."""
        worker = self.busy()
        worker.kill_alone()
        self._replace(worker)
        return worker

    def is_idle(self) -> bool:
        """Whether no job is queued, on its way to a worker, or with one."""
        # In the order in which a job moves, so that none is overlooked.
        return not (
            self._queue.count
            or self._queue.connection.llen(self._queue.intermediate_queue_key)
            or self._busy()
        )

    def check_running(self) -> None:
        """Fail when a worker has ended by itself."""
        assert not self._ended(), f"a worker of {self._queue.name} ended by itself"

    def restart_ended(self) -> None:
        """Replace the workers that ended by themselves, as a process manager does."""
        for worker in self._ended():
            worker.wait_dead()
            self._replace(worker)

    def close(self) -> None:
        """Kill all that are left."""
        for worker in self._alive:
            worker.kill()

    def _start(self) -> WorkerProcess:
        return WorkerProcess.start(self._queue.name, self._settings, self._directory)

    def _ended(self) -> list[WorkerProcess]:
        return [worker for worker in self._alive if worker.process.poll() is not None]

    def _replace(self, worker: WorkerProcess) -> None:
        self._alive.remove(worker)
        self._alive.append(self._start())

    def _busy(self) -> list[WorkerProcess]:
        # One that was killed is still noted as busy.
        states = self._states()
        return [w for w in self._alive if states.get(w.process.pid) == WorkerStatus.BUSY]

    def _states(self) -> dict[int, str]:
        """Read what RQ has noted of its workers' processes."""
        redis = self._queue.connection
        keys = cast(set[bytes], redis.smembers(f"rq:workers:{self._queue.name}"))
        rows = [cast(list[bytes | None], redis.hmget(key, "pid", "state")) for key in keys]
        return {int(pid): state.decode() for pid, state in rows if pid and state}
