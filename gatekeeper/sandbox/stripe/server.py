"""The sandbox on a socket."""

import os
import select
import socket
import struct
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from gatekeeper.sandbox.stripe import control
from gatekeeper.sandbox.stripe.app import SandboxApp
from gatekeeper.sandbox.stripe.authentication import is_live
from gatekeeper.sandbox.stripe.checkout import pages
from gatekeeper.sandbox.stripe.loopback import check_loopback, check_loopback_url
from gatekeeper.sandbox.stripe.webhooks import WebhookSettings
from gatekeeper.sandbox.stripe.wire import Reply, Request, Unanswered, json_reply

_MAX_BODY_BYTES: Final = 1_000_000
_POLL_S: Final = 0.05


class SandboxStripe:
    """A stand-in for Stripe's API, for development, on this machine alone.

    Point the library at it with `StripeClient(key, base_addresses={"api": sandbox.base_url})`.
    Its state lives in memory and ends with it. Use it as a context manager, or call `start` and
    `stop`.

    The port is any free one unless given. Events are delivered to `webhook_url`, which the control
    interface can set later. With a `secret_key` no other API key is accepted; without one any test
    key is. Raises ValueError when the host or the webhook URL isn't on this machine, and when the
    key is a live one.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        webhook_url: str | None = None,
        webhook_secret: str = "whsec_sandbox",  # noqa: S107 - signs nothing but test events
        secret_key: str | None = None,
    ) -> None:
        check_loopback(host)
        if webhook_url is not None:
            check_loopback_url(webhook_url)
        if secret_key is not None and is_live(secret_key):
            raise ValueError("the sandbox refuses to run beside a live Stripe key")
        self._address = (host, port)
        self._app = SandboxApp(
            webhooks=WebhookSettings(url=webhook_url, secret=SecretStr(webhook_secret)),
            api_key=secret_key,
        )
        self._server: _Server | None = None

    @property
    def base_url(self) -> str:
        """The address to give to the library, without a slash at the end.

        Raises RuntimeError before it has been started.
        """
        if self._server is None:
            raise RuntimeError("the sandbox has not been started")
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def start(self) -> None:
        """Listen, and answer in threads of its own.

        Raises OSError when the port is taken.
        """
        self._server = _Server(self._address, self._app)
        self._app.state.origin = self.base_url
        self._app.webhooks.start()
        Thread(
            target=self._server.serve_forever,
            args=(_POLL_S,),
            name="sandbox-stripe",
            daemon=True,
        ).start()

    def stop(self) -> None:
        """Close every connection, also those of held requests, and stop delivering events."""
        if self._server is None:
            return
        self._server.shutdown()
        self._app.holds.close()
        self._app.webhooks.close()
        self._server.server_close()
        self._server.close_connections()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], app: SandboxApp) -> None:
        host = "127.0.0.1" if address[0] == "localhost" else address[0]
        if ip_address(host).version == 6:  # noqa: PLR2004 - IPv6
            self.address_family = socket.AF_INET6
        self.app = app
        self._connections: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__((host, address[1]), _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Hang up on every client, so that their threads end."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up, which is what tests make them do."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox-stripe"
    sys_version = ""
    # Head and body leave together, or else delayed acknowledgements cost 40 ms an answer.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        if length > _MAX_BODY_BYTES:
            self.close_connection = True
            self._send(json_reply({"error": "too long"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=unquote(parts.path),
            query=parts.query,
            headers=self.headers,
            body=self.rfile.read(length),
            is_gone=self._is_gone,
        )
        try:
            if request.path.startswith(control.PREFIX):
                self._send(control.handle(self.server.app, request))
            elif request.path.startswith(pages.PREFIXES):
                self._send(pages.handle(self.server.app, request))
            else:
                self._send(self.server.app.handle(request))
        except Unanswered as unanswered:
            self._hang_up(reset=unanswered.reset)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # Closing with data unsent and no time to linger makes the kernel send a RST.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())

    def _is_gone(self) -> bool:
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the journal has it."""
