"""Sends requests over kept-alive connections and checks every answer to the byte.

One thread with non-blocking waits on plain sockets: what a request costs here is four system calls
and little else, and the share of a core that it takes is measured with everything.
"""

from __future__ import annotations

import gc
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

CONNECTIONS: Final = 16
_ANSWER_TIMEOUT_S: Final = 10.0
_CHUNK_BYTES: Final = 65_536
_SHOWN_BYTES: Final = 400
_SUCCESS: Final = b"HTTP/1.1 200 "


class UnexpectedAnswer(Exception):
    """A server answered something else than 200 with the expected TwiML, or not at all."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Requests answered a second, and the share of a core that sending them took."""

    per_s: float
    generator_busy: float


class _Connection:
    """One connection with at most one request under way, which was due at `due_s`."""

    def __init__(self, port: int, document: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_s = 0.0
        self._end = b"\r\n\r\n" + document
        self._received = b""

    def send(self, request: bytes) -> None:
        self.socket.sendall(request)

    def has_answer(self) -> bool:
        """Read what has come; True once it is the whole answer. Raises UnexpectedAnswer."""
        chunk = self.socket.recv(_CHUNK_BYTES)
        received = self._received + chunk
        if received.endswith(self._end) and received.startswith(_SUCCESS):
            self._received = b""
            return True
        body = received.partition(b"\r\n\r\n")[2]
        is_odd = not _SUCCESS.startswith(received[: len(_SUCCESS)]) or len(body) >= len(self._end)
        if is_odd or not chunk:
            raise UnexpectedAnswer(repr(received[:_SHOWN_BYTES]))
        self._received = received
        return False


def saturate(
    port: int, requests: Sequence[bytes], document: bytes, *, connections: int = CONNECTIONS
) -> Throughput:
    """Send requests as fast as they are answered. Raises UnexpectedAnswer."""
    waiting = iter(requests)
    under_way = 0
    with _connected(port, document, connections, selectors.DefaultSelector()) as (opened, selector):
        cpu_s, started_s = time.process_time(), time.perf_counter()
        for connection, request in zip(opened, waiting, strict=False):
            connection.send(request)
            under_way += 1
        while under_way:
            for connection in _answered(selector, _ANSWER_TIMEOUT_S):
                request = next(waiting, b"")
                if request:
                    connection.send(request)
                else:
                    under_way -= 1
        elapsed_s = time.perf_counter() - started_s
        busy = (time.process_time() - cpu_s) / elapsed_s
    return Throughput(len(requests) / elapsed_s, busy)


def at_rate(
    port: int, requests: Sequence[bytes], document: bytes, *, rate_per_s: float
) -> list[float]:
    """Send requests at a fixed rate and return each one's latency in seconds.

    The latency counts from when a request was due, so that a server which holds up the generator
    gains nothing by it. Raises UnexpectedAnswer.
    """
    latencies_s: list[float] = []
    # select() waits to the microsecond; epoll only to the millisecond.
    with _connected(port, document, CONNECTIONS, selectors.SelectSelector()) as (opened, selector):
        free, sent = deque(opened), 0
        started_s = time.perf_counter()
        while len(latencies_s) < len(requests):
            due_s = started_s + sent / rate_per_s
            wait_s = due_s - time.perf_counter()
            if sent == len(requests) or not free:
                wait_s = _ANSWER_TIMEOUT_S
            elif wait_s <= 0:
                connection = free.popleft()
                connection.due_s = due_s
                connection.send(requests[sent])
                sent += 1
                continue
            for connection in _answered(selector, wait_s):
                latencies_s.append(time.perf_counter() - connection.due_s)
                free.append(connection)
    return latencies_s


@contextmanager
def _connected(
    port: int, document: bytes, connections: int, selector: selectors.BaseSelector
) -> Iterator[tuple[list[_Connection], selectors.BaseSelector]]:
    with ExitStack() as stack:
        stack.enter_context(selector)
        opened = [_Connection(port, document) for _ in range(connections)]
        for connection in opened:
            stack.enter_context(connection.socket)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        gc.disable()  # tens of thousands of requests lie in memory, and none of them is garbage
        stack.callback(gc.enable)
        yield opened, selector


def _answered(selector: selectors.BaseSelector, wait_s: float) -> Iterator[_Connection]:
    events = selector.select(wait_s)
    if not events and wait_s >= _ANSWER_TIMEOUT_S:
        raise UnexpectedAnswer(f"nothing within {wait_s:g} s")
    for key, _ in events:
        if key.data.has_answer():
            yield key.data
