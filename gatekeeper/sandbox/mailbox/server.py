"""The mailbox as one thing to start and stop."""

import socket
import ssl
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from gatekeeper.sandbox.mailbox.behaviour import Behaviour
from gatekeeper.sandbox.mailbox.certificate import make_certificate
from gatekeeper.sandbox.mailbox.deliveries import Deliveries
from gatekeeper.sandbox.mailbox.smtp import HOST, Credentials, SmtpServer
from gatekeeper.sandbox.mailbox.web import create_app

STOP_POLL_S = 0.02


class Mailbox:
    """An SMTP server and the web pages that show what it received, both on 127.0.0.1.

    Port 0 picks a free port. With `user` and `password` mail is taken only after AUTH; with
    `starttls` only after STARTTLS, with a certificate made for it (`certificate_path`).
    """

    def __init__(
        self,
        smtp_port: int = 0,
        http_port: int = 0,
        *,
        user: str | None = None,
        password: str | None = None,
        starttls: bool = False,
    ) -> None:
        if (user is None) != (password is None):
            raise ValueError("the mailbox's user and password go together")
        self.deliveries = Deliveries()
        self.certificate_path: Path | None = None
        self._credentials = (
            None if user is None or password is None else Credentials(user, password)
        )
        self._starttls = starttls
        self._smtp = SmtpServer(smtp_port, self.deliveries, self._credentials)
        self._http_port = http_port
        self._parts: ExitStack | None = None

    @property
    def smtp_url(self) -> str:
        """Where to send mail, with user and password when it wants them.

        The scheme is `smtp+starttls` when it wants STARTTLS.
        """
        login = ""
        if self._credentials is not None:
            user, password = self._credentials.user, self._credentials.password
            login = f"{quote(user, safe='')}:{quote(password, safe='')}@"
        scheme = "smtp+starttls" if self._starttls else "smtp"
        return f"{scheme}://{login}{HOST}:{self._smtp.port}"

    @property
    def http_url(self) -> str:
        """Where to read the mail, without a slash at the end."""
        return f"http://{HOST}:{self._http_port}"

    @property
    def behaviour(self) -> Behaviour:
        """The faults it shows; assigning another takes effect at once."""
        return self._smtp.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._smtp.behaviour = behaviour

    @property
    def held(self) -> int:
        """How many SMTP sessions hang."""
        return self._smtp.held

    def start(self) -> None:
        """Listen on both ports; returns once both answer.

        Raises OSError when a port is taken, and CertificateError when there is no certificate.
        """
        with ExitStack() as parts:
            self._smtp.start(self._tls_context(parts) if self._starttls else None)
            parts.callback(self._smtp.stop)
            self._http_port = _serve(
                create_app(self.deliveries, self._smtp), self._http_port, parts
            )
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Close both ports and wait until they are. The mail stays readable in `deliveries`."""
        if self._parts is not None:
            self._parts.close()
            self._parts = None

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

    def _tls_context(self, parts: ExitStack) -> ssl.SSLContext:
        directory = parts.enter_context(tempfile.TemporaryDirectory(prefix="mailbox-"))
        certificate = make_certificate(Path(directory))
        self.certificate_path = certificate.certificate_path
        return certificate.server_context()


class _QuietHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        """Write no line a request: the terminal belongs to the demo."""


def _serve(app: Flask, port: int, parts: ExitStack) -> int:
    # Given a taken port, make_server ends the whole process; a bound socket it takes as it is.
    with socket.create_server((HOST, port)) as listener:
        server = make_server(
            HOST,
            listener.getsockname()[1],
            app,
            threaded=True,
            request_handler=_QuietHandler,
            fd=listener.fileno(),
        )
    thread = threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_S,), name="mailbox-http", daemon=True
    )
    thread.start()
    # Undone in reverse order.
    parts.callback(server.server_close)
    parts.callback(thread.join)
    parts.callback(server.shutdown)
    return server.port
