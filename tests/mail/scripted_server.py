"""An SMTP server that follows a script, for answers no well-behaved server gives."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"

Answer = Callable[[socket.socket], None]


def say(reply: str) -> Answer:
    """Answer with one line or several."""
    return lambda connection: connection.sendall(f"{reply}\r\n".encode())


def stay_silent(connection: socket.socket) -> None:
    """Never answer; wait for the client to leave."""
    while connection.recv(4096):
        pass


def trickle(connection: socket.socket) -> None:
    """Send a byte at a time, and never a whole line, until the client leaves."""
    pace = threading.Event()
    while not pace.wait(0.01):
        connection.sendall(b"2")


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


#: What is answered to the connection itself, to each command, and to a message's end (".").
POLITE: Mapping[str, Answer] = {
    "connection": say("220 scripted"),
    "EHLO": say("250 scripted"),
    "MAIL": say("250 ok"),
    "RCPT": say("250 ok"),
    "DATA": say("354 go ahead"),
    ".": say("250 taken"),
    "QUIT": say("221 bye"),
}


class ScriptedServer:
    """Listens on a free port; `script` replaces some of the polite answers.

    `commands` holds what clients said, without the messages; `messages` counts those.
    """

    def __init__(
        self, script: Mapping[str, Answer] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.commands: list[str] = []
        self.messages = 0
        self._answers = {**POLITE, **(script or {})}
        self._tls = tls
        self._listener = socket.create_server((HOST, 0))
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes accept() and recv(), as close() does not
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            with suppress(OSError), connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as lines:
            self._answers["connection"](connection)
            for line in lines:
                command = line.decode("latin-1").rstrip("\r\n")
                self.commands.append(command)
                verb = command.split()[0].upper()
                self._answers.get(verb, say("502 not in the script"))(connection)
                if verb == "DATA":
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    self.messages += 1
                    self._answers["."](connection)
