"""HTTP to this machine, with connections that are kept and time limits that hold.

The usual clients limit the time of each read alone, so a server that sends a byte now and then
holds them for ever. Twilio ends the whole exchange, and so does this client.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# Twilio takes TwiML of up to 64 kB; one byte more shows that there is too much.
BODY_BYTES_MAX: Final = 64 * 1024


class NotLoopbackError(ValueError):
    """A URL that leaves this machine, or that is not plain http."""


class Failure(StrEnum):
    """Why there was no HTTP answer."""

    CONNECTION = "connection"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"


class TransportError(Exception):
    """There was no HTTP answer."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one exchange may take; `deadline_s` is a time of the monotonic clock."""

    connect_timeout_s: float
    read_timeout_s: float
    deadline_s: float

    def within(self, timeout_s: float) -> float:
        """Return how long to wait now, in seconds.

        Raises TimeoutError when the deadline has passed.
        """
        left_s = self.deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the total time is used up")
        return min(timeout_s, left_s)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; `body` is cut off one byte past BODY_BYTES_MAX."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes = field(repr=False)


def require_loopback(url: str) -> SplitResult:
    """Return the parts of a plain http URL on this machine.

    Raises NotLoopbackError for any other.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.username is not None:
        raise NotLoopbackError(f"the sandbox caller takes http://host:port/path, not {url!r}")
    if not _is_loopback(parts.hostname):
        raise NotLoopbackError(
            f"the sandbox caller calls this machine alone (127.0.0.1, ::1, localhost), not {url!r}"
        )
    return parts


class LoopbackClient:
    """Sends HTTP requests to this machine and keeps its connections. Safe to use from threads."""

    def __init__(self) -> None:
        self._idle: defaultdict[str, list[_Connection]] = defaultdict(list)
        self._lock = threading.Lock()

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, limits: Limits
    ) -> Reply:
        """Send a request and return the answer.

        Raises TransportError when there is none, NotLoopbackError before anything is sent.
        """
        parts = require_loopback(url)
        connection = self._take_idle(parts.netloc) or _connect(parts, limits)
        path_and_query = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            reply = connection.exchange(method, path_and_query, headers, body, limits)
        except TimeoutError as error:
            connection.close()
            raise TransportError(Failure.TIMEOUT, str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise TransportError(Failure.PROTOCOL, f"{type(error).__name__}: {error}") from error
        self._keep(parts.netloc, connection)
        return reply

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            kept = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in kept:
            connection.close()

    def _take_idle(self, netloc: str) -> _Connection | None:
        while True:
            with self._lock:
                if not self._idle[netloc]:
                    return None
                connection = self._idle[netloc].pop()
            if connection.is_usable():
                return connection
            connection.close()

    def _keep(self, netloc: str, connection: _Connection) -> None:
        if not connection.is_usable():
            connection.close()
            return
        with self._lock:
            self._idle[netloc].append(connection)


class _LimitedSocket(socket.socket):
    """A socket whose every wait ends at the limits of the exchange under way."""

    limits: Limits

    def recv_into(self, buffer: WriteableBuffer, nbytes: int = 0, flags: int = 0) -> int:
        self.settimeout(self.limits.within(self.limits.read_timeout_s))
        return super().recv_into(buffer, nbytes, flags)

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        self.settimeout(self.limits.within(self.limits.read_timeout_s))
        super().sendall(data, flags)

    def is_silent_and_open(self) -> bool:
        """Whether the other side has neither closed nor sent anything."""
        self.setblocking(False)
        try:
            self.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


class _Connection(http.client.HTTPConnection):
    """An HTTP connection over a socket that is connected already."""

    def __init__(self, netloc: str, connected: _LimitedSocket) -> None:
        super().__init__(netloc)
        self.auto_open = 0  # a broken connection is an answer of its own, not one to hide
        self.sock = connected
        self._connected = connected

    def exchange(
        self,
        method: str,
        path_and_query: str,
        headers: Mapping[str, str],
        body: bytes | None,
        limits: Limits,
    ) -> Reply:
        self._connected.limits = limits
        self.request(method, path_and_query, body, dict(headers))
        with self.getresponse() as response:
            content = response.read(BODY_BYTES_MAX + 1)
            if len(content) > BODY_BYTES_MAX:
                self.close()
            elif response.length:
                raise http.client.IncompleteRead(content, response.length)
        return Reply(response.status, response.headers, content)

    def is_usable(self) -> bool:
        # http.client lets go of the socket when the server said "Connection: close".
        return self.sock is not None and self._connected.is_silent_and_open()


def _connect(parts: SplitResult, limits: Limits) -> _Connection:
    host = _address(parts.hostname or "")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connecting = _LimitedSocket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(limits.within(limits.connect_timeout_s))
        connecting.connect((host, parts.port or http.client.HTTP_PORT))
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        connecting.close()
        raise TransportError(Failure.CONNECTION, f"{type(error).__name__}: {error}") from error
    return _Connection(parts.netloc, connecting)


def _is_loopback(hostname: str) -> bool:
    try:
        return ipaddress.ip_address(_address(hostname)).is_loopback
    except ValueError:
        return False


def _address(hostname: str) -> str:
    # Not looked up: a name service can point even this name elsewhere.
    return "127.0.0.1" if hostname == "localhost" else hostname
