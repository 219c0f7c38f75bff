"""A webhook endpoint for the tests, on a real socket."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Any, NamedTuple, Self


class Delivered(NamedTuple):
    body: bytes
    signature: str
    content_type: str


class Endpoint:
    """Keeps what it is sent and answers `statuses` one by one, then 200.

    While `gate` is closed it takes requests and doesn't answer them.
    """

    def __init__(self, *statuses: int) -> None:
        self.received: list[Delivered] = []
        self.changed = Condition()
        self.statuses = list(statuses)
        self._gate_open = True
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/stripe/webhook"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.open_gate()
        self._server.shutdown()
        self._server.server_close()

    def close_gate(self) -> None:
        with self.changed:
            self._gate_open = False

    def open_gate(self) -> None:
        with self.changed:
            self._gate_open = True
            self.changed.notify_all()

    def take(self, delivered: Delivered) -> int:
        """Keep a delivery; return the status to answer."""
        with self.changed:
            self.received.append(delivered)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._gate_open, timeout=10)
            return self.statuses.pop(0) if self.statuses else 200

    def wait_for(self, count: int) -> list[Delivered]:
        """Return what was received once there is that much of it."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, timeout=10)
            return list(self.received)


def _handler_for(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            delivered = Delivered(
                self.rfile.read(int(self.headers["Content-Length"])),
                self.headers["Stripe-Signature"],
                self.headers["Content-Type"],
            )
            status = endpoint.take(delivered)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", endpoint.url)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
