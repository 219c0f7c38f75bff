"""How the caller speaks HTTP: connections, time limits, broken answers. Against raw sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from gatekeeper.sandbox.caller import Failure, NotLoopbackError
from gatekeeper.sandbox.caller.transport import (
    BODY_BYTES_MAX,
    Limits,
    LoopbackClient,
    Reply,
    TransportError,
    require_loopback,
)

PATIENCE_S = 10
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Behaviour = Callable[[socket.socket], None]


class RawServer:
    """Gives each connection, in a thread of its own, to `behave`."""

    def __init__(self, behave: Behaviour) -> None:
        self.connections = 0
        self._behave = behave
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/voice"

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._behave(connection)
            except OSError:
                return  # the client went away, as in many of these tests it should


@contextmanager
def serving(behave: Behaviour) -> Iterator[RawServer]:
    with ExitStack() as stack:
        server = RawServer(behave)
        stack.callback(server.stop)
        yield server


@pytest.fixture
def client() -> Iterator[LoopbackClient]:
    made = LoopbackClient()
    yield made
    made.close()


def request(
    client: LoopbackClient,
    url: str,
    *,
    connect_timeout_s: float = PATIENCE_S,
    read_timeout_s: float = PATIENCE_S,
    total_timeout_s: float = PATIENCE_S,
) -> Reply:
    limits = Limits(connect_timeout_s, read_timeout_s, time.monotonic() + total_timeout_s)
    return client.request("POST", url, {"X-Test": "1"}, b"a=1", limits)


def failure(client: LoopbackClient, url: str, **limits: float) -> Failure:
    with pytest.raises(TransportError) as raised:
        request(client, url, **limits)
    return raised.value.failure


def read_request(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\r\n\r\na=1"):
        chunk = connection.recv(4096)
        if not chunk:
            raise ConnectionResetError
        received += chunk
    return received


def answer_always(connection: socket.socket) -> None:
    while True:
        read_request(connection)
        connection.sendall(OK)


def answer_once_with(answer: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return behave


# Connections.


def test_one_connection_serves_requests_one_after_the_other(client: LoopbackClient) -> None:
    with serving(answer_always) as server:
        for _ in range(3):
            assert request(client, server.url).body == b"ok"
        assert server.connections == 1


def test_requests_at_the_same_time_have_connections_of_their_own(client: LoopbackClient) -> None:
    together = threading.Barrier(4)

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        together.wait(PATIENCE_S)  # passes only when four requests are under way
        connection.sendall(OK)

    with serving(behave) as server, ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda _: request(client, server.url), range(4)))
        assert [reply.status for reply in replies] == [200] * 4
        assert server.connections == 4


def test_a_kept_connection_that_the_server_closed_is_not_used_again(
    client: LoopbackClient,
) -> None:
    closed = threading.Event()

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(OK)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(behave) as server:
        request(client, server.url)
        assert closed.wait(PATIENCE_S)
        request(client, server.url)
        assert server.connections == 2


def test_a_server_that_says_close_gets_a_new_connection(client: LoopbackClient) -> None:
    closing = OK.replace(b"Content-Length", b"Connection: close\r\nContent-Length")
    with serving(answer_once_with(closing)) as server:
        request(client, server.url)
        request(client, server.url)
        assert server.connections == 2


def test_the_request_goes_out_as_given(client: LoopbackClient) -> None:
    seen: list[bytes] = []

    def behave(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(OK)

    with serving(behave) as server:
        request(client, server.url + "/a%2Fb?x=%27&y=1")
        assert seen[0].startswith(b"POST /voice/a%2Fb?x=%27&y=1 HTTP/1.1\r\n")
        assert b"\r\nX-Test: 1\r\n" in seen[0]


# Time limits.


def test_nobody_listening_is_a_failed_connection(client: LoopbackClient) -> None:
    with serving(answer_always) as server:
        url = server.url
    assert failure(client, url) is Failure.CONNECTION


def test_a_full_backlog_is_a_failed_connection(client: LoopbackClient) -> None:
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(64):  # connections that nobody accepts, until there is no room left
            filler = waiting.enter_context(socket.socket())
            filler.settimeout(0.1)
            try:
                filler.connect(address)
            except TimeoutError:
                break
        url = f"http://127.0.0.1:{address[1]}/"
        assert failure(client, url, connect_timeout_s=0.05) is Failure.CONNECTION


def test_silence_is_a_timeout(client: LoopbackClient) -> None:
    released = threading.Event()

    def behave(_connection: socket.socket) -> None:
        released.wait(PATIENCE_S)

    with serving(behave) as server:
        assert failure(client, server.url, read_timeout_s=0.05) is Failure.TIMEOUT
        assert failure(client, server.url, total_timeout_s=0.05) is Failure.TIMEOUT
        released.set()


@pytest.mark.parametrize(
    "beginning", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"]
)
def test_a_trickle_does_not_outlast_the_total_time(
    client: LoopbackClient, beginning: bytes
) -> None:
    gone = threading.Event()

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(beginning)
        try:
            while not gone.wait(0.01):
                connection.sendall(b"H")
        finally:
            gone.set()

    with serving(behave) as server:
        kind = failure(client, server.url, read_timeout_s=5, total_timeout_s=0.2)
        assert kind is Failure.TIMEOUT
        assert gone.wait(PATIENCE_S)  # the client has hung up


def test_no_time_left_means_no_request(client: LoopbackClient) -> None:
    with serving(answer_always) as server:
        assert failure(client, server.url, total_timeout_s=0) is Failure.CONNECTION
        assert server.connections == 0


# Broken answers.


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        b"HTTP/1.1 99999 OK\r\n\r\n",
    ],
)
def test_a_broken_answer_is_a_breach_of_protocol(client: LoopbackClient, answer: bytes) -> None:
    with serving(answer_once_with(answer)) as server:
        assert failure(client, server.url) is Failure.PROTOCOL


def test_after_a_broken_answer_the_next_request_works(client: LoopbackClient) -> None:
    answers = iter([b"nonsense\r\n\r\n", OK])

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(next(answers))

    with serving(behave) as server:
        assert failure(client, server.url) is Failure.PROTOCOL
        assert request(client, server.url).body == b"ok"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000\r\n\r\n", b"\r\n"])
def test_a_large_body_is_read_no_further_than_needed(
    client: LoopbackClient, framing: bytes
) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"x" * 1_000_000
    with serving(answer_once_with(answer)) as server:
        reply = request(client, server.url)
        assert len(reply.body) == BODY_BYTES_MAX + 1


def test_a_chunked_body_is_put_together(client: LoopbackClient) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1\r\n!\r\n0\r\n\r\n"
    with serving(answer_once_with(answer)) as server:
        assert request(client, server.url).body == b"ok!"


# Loopback only.


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/a", "http://127.9.9.9/", "http://localhost/", "http://[::1]:80/"]
)
def test_this_machine_is_allowed(url: str) -> None:
    assert require_loopback(url).geturl() == url


@pytest.mark.parametrize(
    "url",
    [
        "http://gate.example/voice/incoming",
        "http://192.168.0.1/",
        "http://0.0.0.0/",
        "http://[2001:db8::1]/",
        "http://2130706433/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://localhost@evil.example/",
        "http://user:password@127.0.0.1/",
        "https://127.0.0.1/",
        "ftp://127.0.0.1/",
        "/voice/incoming",
        "",
    ],
)
def test_anything_else_is_refused(client: LoopbackClient, url: str) -> None:
    with pytest.raises(NotLoopbackError, match="sandbox caller"):
        request(client, url)
