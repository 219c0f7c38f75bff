"""A line to a server that can be slow, and can be moved to another server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self


class Link:
    """A proxy on a port of its own. Connections stay with the server they were made to.

    Every answer waits for `delay_s`; new connections go to `port`. After `forget()` a connection
    that stands is dead, which its client learns only when it next sends something.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.delay_s = 0.0
        self._standing: set[socket.socket] = set()
        self._forgotten: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.close()

    def forget(self) -> None:
        """Forget every connection that stands, as a balancer does with idle ones."""
        self._forgotten |= self._standing

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._standing.add(near)
                far = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()
                threading.Thread(target=self._carry_back, args=(far, near), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError), near, far:
            while (data := near.recv(65_536)) and near not in self._forgotten:
                far.sendall(data)

    def _carry_back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError), far, near:
            while data := far.recv(65_536):
                time.sleep(self.delay_s)  # slowness is what is tested
                near.sendall(data)
