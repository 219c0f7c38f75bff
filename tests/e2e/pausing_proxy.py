"""A TCP proxy in front of a ledger's Redis that holds a verb of its clients at a chosen instant.

A verb is known by the digest of its script, which a client sends in clear with EVALSHA. The server
must have the scripts already, or the first EVALSHA of each would be answered with NOSCRIPT.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from hashlib import sha1
from types import TracebackType
from typing import Self

from gatekeeper.ledger.scripts import load_sources

_HOST = "127.0.0.1"
_CHUNK_BYTES = 65536
_DIGEST_BYTES = 40


class When(StrEnum):
    """The instant at which a verb, or a request to Stripe, is held."""

    BEFORE = "before"  # sent by the client, and not executed
    AFTER = "after"  # executed, and the client has no answer


class Fate(Enum):
    """What becomes of what is held."""

    LOST = "lost"
    DELIVERED = "delivered"


@dataclass(eq=False)
class Hold:
    """Holds one run of a verb: `held` is set once it does, `answered` once the verb has run."""

    digest: bytes
    when: When
    held: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)
    _fate: Fate = Fate.LOST

    def end(self, fate: Fate) -> None:
        """Let the connection go on with what is held, or cut it."""
        self._fate = fate
        self._ended.set()

    def wait(self) -> Fate:
        """Hold until it ends."""
        self.held.set()
        self._ended.wait()
        return self._fate


class PausingProxy:
    """Forwards connections to a Redis on this machine. Use it as a context manager."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server((_HOST, 0))
        self._digests = {
            verb: sha1(source.encode(), usedforsecurity=False).hexdigest().encode()
            for verb, source in load_sources().items()
        }
        self._lock = threading.Lock()
        self._waiting: list[Hold] = []
        self._made: list[Hold] = []

    @property
    def url(self) -> str:
        """The address to give to the clients instead of the server's."""
        return f"redis://{_HOST}:{self._listener.getsockname()[1]}/0"

    def hold(self, verb: str, when: When) -> Hold:
        """Hold the next run of a verb, and no other."""
        hold = Hold(self._digests[verb], when)
        with self._lock:
            self._waiting.append(hold)
            self._made.append(hold)
        return hold

    def forget_holds(self) -> None:
        """Cut every connection that is held, and hold nothing any more."""
        with self._lock:
            made, self._made, self._waiting = self._made, [], []
        for hold in made:
            hold.end(Fate.LOST)

    def take(self, sent: bytes) -> Hold | None:
        """Take the hold that is waiting for a verb whose digest is in these bytes."""
        with self._lock:
            for hold in self._waiting:
                if hold.digest in sent:
                    self._waiting.remove(hold)
                    return hold
        return None

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="pausing-proxy", daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.forget_holds()
        # Closing alone would leave a thread in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((_HOST, self._target_port))
            except ConnectionRefusedError:  # it is down, and its clients shall notice
                client.close()
            else:
                _Connection(self, client, server).start()


class _Connection:
    """One client's connection, with a thread for each direction."""

    def __init__(self, proxy: PausingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._under_way: Hold | None = None

    def start(self) -> None:
        for pump in (self._pump_commands, self._pump_replies):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def _run(self, pump: Callable[[], None]) -> None:
        try:
            pump()
        except OSError:
            self._cut()

    def _pump_commands(self) -> None:
        seen = b""
        while chunk := self._client.recv(_CHUNK_BYTES):
            seen = seen[1 - _DIGEST_BYTES :] + chunk  # a digest may have been cut in two
            if hold := self._proxy.take(seen):
                seen = b""
                if hold.when is When.BEFORE:
                    _let_pass(hold)
                self._under_way = hold
            self._server.sendall(chunk)
        # The client may be gone while the server still has its last command to answer.
        self._server.shutdown(socket.SHUT_WR)

    def _pump_replies(self) -> None:
        while chunk := self._server.recv(_CHUNK_BYTES):
            hold, self._under_way = self._under_way, None
            if hold:
                hold.answered.set()
                if hold.when is When.AFTER:
                    _let_pass(hold)
            self._client.sendall(chunk)
        self._cut()

    def _cut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


def _let_pass(hold: Hold) -> None:
    """Wait for the hold's end. Raises ConnectionAbortedError when what it holds is lost."""
    if hold.wait() is Fate.LOST:
        raise ConnectionAbortedError
