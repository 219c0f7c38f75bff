"""A real PostgreSQL server of the tests' own, with its data in a directory that is thrown away.

Its programs are the system's: those on the PATH, or of the Debian package `postgresql`. PostgreSQL
refuses to run as root, so root's tests run it as another user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

HOST = "127.0.0.1"
SUPERUSER = "gatekeeper"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
#: Users that Debian and most others have; the first that exists is taken when root runs the tests.
UNPRIVILEGED = ("postgres", "nobody")
SETTINGS = ("shared_buffers=64MB", "max_connections=60", "max_wal_size=512MB")
#: No durability against a power cut is lost that a test could notice; killed servers still recover.
FAST = ("fsync=off", "full_page_writes=off")


class NoPostgreSQL(Exception):
    """There is no PostgreSQL server on this machine, or it does not start."""


class PostgreSQL:
    """A server on 127.0.0.1 and a free port. It never outlives the process that started it."""

    def __init__(self, settings: Sequence[str] = FAST) -> None:
        self._settings = (*SETTINGS, *settings)
        self._programs = _find_programs()
        self._user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.port = 0
        # The system's directory for temporary files: another user cannot enter those of pytest.
        self._directory = Path(tempfile.mkdtemp(prefix="gatekeeper-postgres-"))

    def create_database(self) -> str:
        """Create an empty database; returns its URL."""
        self._databases += 1
        name = f"history_{self._databases}"
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, whoever is connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    @property
    def admin_url(self) -> str:
        """The URL of the database that is always there."""
        return self._url("postgres")

    def _url(self, database: str) -> str:
        return f"postgresql://{SUPERUSER}@{HOST}:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and return once it takes connections."""
        if not (self._directory / "data").exists():
            self._initialise()
        self.port = self.port or _free_port()
        log = (self._directory / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", "data", *self._options()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user(),
            )
        self._guard = _guard(self._process.pid)
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Shut the server down at once, in order, and wait until it has (SIGINT: "fast")."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End the server without a shutdown, as a crash would (SIGQUIT: "immediate")."""
        self._end(signal.SIGQUIT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._remove()

    def _remove(self) -> None:
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _initialise(self) -> None:
        if self._user is not None:
            os.chown(self._directory, self._user.pw_uid, self._user.pw_gid)
        command = self._command(
            *("initdb", "-D", "data", "--username", SUPERUSER, "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, **self._as_user()
        )
        if done.returncode:
            raise NoPostgreSQL(f"initdb failed: {done.stderr.strip()}")

    def _options(self) -> list[str]:
        settings = (f"listen_addresses={HOST}", f"port={self.port}", "unix_socket_directories=")
        return [word for setting in (*settings, *self._settings) for word in ("-c", setting)]

    def _command(self, program: str, *arguments: str) -> list[str]:
        return [str(self._programs / program), *arguments]

    def _as_user(self) -> dict[str, Any]:
        """Say as whom a program runs, where, and in what environment."""
        run: dict[str, Any] = {"cwd": self._directory, "env": {"PATH": os.defpath, "LC_ALL": "C"}}
        if self._user is not None:
            run |= {"user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}
        return run

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            try:
                psycopg.connect(self.admin_url, connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise NoPostgreSQL(f"the server does not start: {self._log_tail()}")

    def _log_tail(self) -> str:
        lines = (self._directory / "log").read_text(errors="replace").splitlines()
        return " / ".join(lines[-5:])

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        assert self._guard is not None
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.kill()
        self._guard.communicate()
        self._process = self._guard = None


def _find_programs() -> Path:
    """Find the directory with initdb and postgres. Raises NoPostgreSQL."""
    candidates = []
    if on_path := shutil.which("initdb"):
        candidates.append(Path(on_path).resolve().parent)
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    candidates += sorted(installed, key=lambda path: float(path.parent.name), reverse=True)
    for directory in candidates:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise NoPostgreSQL(
        "these tests need PostgreSQL's server programs (initdb, postgres): install the package"
        " postgresql of Debian or Ubuntu, or put a directory that has them on the PATH"
    )


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Find whom to run the server as; None: whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in UNPRIVILEGED:
        if name in known:
            return known[name]
    raise NoPostgreSQL("PostgreSQL does not run as root, and there is no other user to run it as")


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that ends the server when this process ends, even by SIGKILL.

    This process holds the only other end of its pipe, so reading ends when this process does.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", f"read -r _; kill -QUIT {pid}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
