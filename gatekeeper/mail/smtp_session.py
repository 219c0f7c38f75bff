"""One SMTP conversation that ends by a deadline.

smtplib's own timeout starts anew at every read, so a server that sends a byte now and then can
hold its client for ever.
"""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Deadline:
    """A moment by which everything must be done."""

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._at_s = time.monotonic() + timeout_s

    @property
    def has_passed(self) -> bool:
        """Tell whether there is no time left."""
        return time.monotonic() >= self._at_s

    @property
    def remaining_s(self) -> float:
        """The seconds left, but at least a millisecond: a socket takes 0 for "don't block"."""
        return max(self._at_s - time.monotonic(), 0.001)


class SmtpSession(smtplib.SMTP):
    """A connected SMTP client. With `tls`, encrypted from the first byte.

    Raises what smtplib.SMTP raises. Only the look-up of the host's name, which the system's
    resolver bounds, may outlast the deadline.
    """

    def __init__(
        self, host: str, port: int, *, deadline: Deadline, tls: ssl.SSLContext | None
    ) -> None:
        self._deadline = deadline
        self._tls = tls
        super().__init__(host, port, local_hostname=_own_name())

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002  # the deadline takes the timeout's place
        """Connect. This is the method that smtplib.SMTP_SSL overrides, too."""
        sock = _connect(host, port, self._deadline)
        sock.settimeout(self._deadline.remaining_s)
        if self._tls is None:
            return sock
        return self._tls.wrap_socket(sock, server_hostname=host)

    def getreply(self) -> tuple[int, bytes]:
        """Read a reply before the deadline."""
        if self.file is None and self.sock is not None:  # at first, and again after STARTTLS
            self.file = io.BufferedReader(_DeadlineReader(self.sock, self._deadline))
        return super().getreply()


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._deadline.has_passed:
            raise TimeoutError
        self._sock.settimeout(self._deadline.remaining_s)
        count = self._sock.recv_into(buffer)
        # What comes next may be a write or a TLS handshake, neither of which passes through here.
        self._sock.settimeout(self._deadline.remaining_s)
        return count


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Try each of the host's addresses, each for an equal share of the time left."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError("the host has no address")
    for left, (*_, address) in zip(range(len(found), 0, -1), found, strict=True):
        try:
            return socket.create_connection(
                (str(address[0]), port), timeout=deadline.remaining_s / left
            )
        except OSError as error:
            failure = error
    raise failure


def _own_name() -> str:
    """Name this machine to the server, without asking the DNS as smtplib's default does."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"
