"""What people and monitors ask for takes turns, so that calls always find a thread."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.test import Client

from gatekeeper.sandbox.process_session import kill_session
from gatekeeper.sandbox.stack import free_port
from gatekeeper.web.housekeeping import limit_housekeeping
from tests.conftest import wait_until

App = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]

_PIECE = b"x" * 65_536
_PIECES = 128  # 8 MiB: more than the sockets on both sides take
_SOURCE = Path(__file__).parents[2]


@contextmanager
def held(app: App, path: str, times: int, inside: threading.Semaphore) -> Iterator[None]:
    """Ask for a path so many times; each is known to be under way."""
    waiting = [threading.Thread(target=Client(app).get, args=(path,)) for _ in range(times)]
    for thread in waiting:
        thread.start()
        assert inside.acquire(timeout=30)
    yield
    for thread in waiting:
        thread.join()


@pytest.mark.parametrize("path", ["/ops/queues/", "/", "/sign-in"])
def test_at_most_half_of_the_threads_wait_for_what_is_no_call(path: str) -> None:
    go_on, inside = threading.Event(), threading.Semaphore(0)

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == path:
            inside.release()
            go_on.wait(30)
        start_response("200 OK", [])
        return [b""]

    app = limit_housekeeping(slow, threads=4)
    with held(app, path, 2, inside):
        try:
            refused = Client(app).get(path)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            for monitored in ("/readyz", "/metrics", "/healthz"):
                assert Client(app).get(monitored).status_code == 200
            assert Client(app).post("/stripe/webhook").status_code == 200
        finally:
            go_on.set()
    assert Client(app).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/metrics"])
def test_one_thread_waits_for_monitors(path: str) -> None:
    go_on, inside = threading.Event(), threading.Semaphore(0)

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == path:
            inside.release()
            go_on.wait(30)
        start_response("200 OK", [])
        return [b""]

    app = limit_housekeeping(slow, threads=4)
    with held(app, path, 1, inside):
        try:
            assert Client(app).get(path).status_code == 503
            assert Client(app).get("/").status_code == 200
        finally:
            go_on.set()
    assert Client(app).get(path).status_code == 200


class Pieces:
    """A body in pieces, each of them `made`, that counts how often it is closed."""

    def __init__(self, made: Callable[[], bytes]) -> None:
        self._made = made
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return (self._made() for _ in range(3))

    def close(self) -> None:
        self.closed += 1


def test_a_turn_lasts_until_the_answer_is_read() -> None:
    go_on, inside = threading.Event(), threading.Semaphore(0)

    def wait() -> bytes:
        inside.release()
        go_on.wait(30)
        return b"x"

    body = Pieces(wait)

    def stream(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    app = limit_housekeeping(stream, threads=2)
    with held(app, "/", 1, inside):
        try:
            assert Client(app).get("/").status_code == 503
        finally:
            go_on.set()
    assert body.closed == 1
    assert Client(app).get("/").text == "xxx"
    assert body.closed == 2


def test_an_answer_that_breaks_off_gives_its_turn_back() -> None:
    def fail() -> bytes:
        raise ConnectionError

    body = Pieces(fail)

    def stream(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return body

    app = limit_housekeeping(stream, threads=2)
    for times in (1, 2):
        with pytest.raises(ConnectionError):
            Client(app).get("/")
        assert body.closed == times


def long_answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with far more than a connection takes at once, in pieces."""
    start_response("200 OK", [])
    return [b"ok"] if environ["PATH_INFO"] == "/healthz" else (_PIECE for _ in range(_PIECES))


#: What the server below serves.
served = limit_housekeeping(long_answer, threads=2)


@contextmanager
def granian(folder: Path) -> Iterator[int]:
    """Serve `served` with two threads; gives the port."""
    port = free_port()
    command = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--http", "1", "--blocking-threads", "2", f"{__name__}:served"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "granian", *command],
            cwd=_SOURCE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_SOURCE)},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _is_answered(port), deadline_s=20)
        yield port
    finally:
        kill_session(server)


def _is_answered(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError):
        connection.request("GET", "/healthz")
        return connection.getresponse().read() == b"ok"
    return False


def test_answers_that_nobody_reads_hold_no_thread(tmp_path: Path) -> None:
    with granian(tmp_path) as port, ExitStack() as stack:
        for _ in range(4):
            unread = stack.enter_context(socket.socket())
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect(("127.0.0.1", port))
            unread.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
            assert unread.recv(12) == b"HTTP/1.1 200"
            assert _is_answered(port)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/long")
        assert len(connection.getresponse().read()) == len(_PIECE) * _PIECES
