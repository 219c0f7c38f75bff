"""A line to a server that loses the first answer: the server has acted, the client cannot know."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65536


class LossyLine:
    """Forwards connections to a port of this machine; the first one is cut once it was answered."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lose_next = True

    @property
    def url(self) -> str:
        """The address to call instead of the server's own."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="lossy-line", daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _cut(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            lose, self._lose_next = self._lose_next, False
            threading.Thread(target=self._serve, args=(client, lose), daemon=True).start()

    def _serve(self, client: socket.socket, lose: bool) -> None:
        server = socket.create_connection(("127.0.0.1", self._target_port))
        threading.Thread(target=_pump, args=(client, server), daemon=True).start()
        if lose:
            server.recv(_CHUNK_BYTES)
            _cut(client)
            _cut(server)
        else:
            _pump(server, client)


def _cut(connection: socket.socket) -> None:
    """End a connection. Closing alone would wait for the thread that is reading from it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
