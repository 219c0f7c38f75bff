"""The mailbox's SMTP side."""

import asyncio
import hmac
import socket
import ssl
from collections.abc import Awaitable
from dataclasses import dataclass, field

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gatekeeper.sandbox.mailbox.behaviour import Behaviour
from gatekeeper.sandbox.mailbox.deliveries import Deliveries

HOST = "127.0.0.1"
# Given, because the default asks the name service for this machine's full name.
HOSTNAME = "mailbox.localhost"
READY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """The only user and password that AUTH accepts."""

    user: str
    password: str = field(repr=False)

    def match(self, login: LoginPassword) -> bool:
        """Whether `login` is this user with this password."""
        offered = (login.login, login.password)
        expected = (self.user.encode(), self.password.encode())
        return all(hmac.compare_digest(*pair) for pair in zip(offered, expected, strict=True))


class SmtpServer:
    """Takes mail for every address, keeps it in `deliveries`, and misbehaves on request."""

    def __init__(
        self, port: int, deliveries: Deliveries, credentials: Credentials | None = None
    ) -> None:
        self._port = port
        self._handler = _Handler(deliveries, credentials)
        self._controller: _Controller | None = None

    @property
    def port(self) -> int:
        """The port it listens on; once started never 0."""
        return self._port

    @property
    def held(self) -> int:
        """How many sessions wait because of `Behaviour.hang`."""
        return self._handler.held

    @property
    def behaviour(self) -> Behaviour:
        """The faults it shows from now on."""
        return self._handler.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._handler.behaviour = behaviour
        if self._controller is not None:
            self._controller.loop.call_soon_threadsafe(self._handler.wake)

    def start(self, tls_context: ssl.SSLContext | None = None) -> None:
        """Listen; returns once it greets. With a TLS context STARTTLS comes before any mail.

        Raises OSError when the port is taken.
        """
        listener = socket.create_server((HOST, self._port))
        self._port = listener.getsockname()[1]
        self._controller = _Controller(self._handler, listener, tls_context)
        self._controller.start()

    def stop(self) -> None:
        """Close the port and end every session."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


class _Controller(Controller):
    """aiosmtpd's thread around the server, on a socket that is already bound."""

    def __init__(
        self, handler: "_Handler", listener: socket.socket, tls_context: ssl.SSLContext | None
    ) -> None:
        super().__init__(
            handler,
            hostname=HOST,
            port=listener.getsockname()[1],
            ready_timeout=READY_TIMEOUT_S,
            server_hostname=HOSTNAME,
            tls_context=tls_context,
            require_starttls=tls_context is not None,
            authenticator=handler.authenticate,
            auth_require_tls=False,
        )
        self._listener = listener

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


class _Handler:
    """aiosmtpd calls handle_X for the SMTP command X; the answer is the reply line."""

    def __init__(self, deliveries: Deliveries, credentials: Credentials | None) -> None:
        self.behaviour = Behaviour()
        self.held = 0
        self._deliveries = deliveries
        self._credentials = credentials
        self._behaviour_changed = asyncio.Event()

    def wake(self) -> None:
        """Let sessions that hang look at the behaviour again; runs in the server's own loop."""
        self._behaviour_changed.set()
        self._behaviour_changed = asyncio.Event()

    def authenticate(
        self,
        _server: SMTP,
        _session: Session,
        _envelope: Envelope,
        _mechanism: str,
        login: LoginPassword,
    ) -> AuthResult:
        success = self._credentials is not None and self._credentials.match(login)
        return AuthResult(success=success, handled=False)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        await self._hold()
        if self._credentials is not None and not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.behaviour.temporary_failure:
            return "451 4.3.0 Try again later"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if self.behaviour.refuses(address):
            return f"{self.behaviour.refuse_code} 5.1.1 This recipient is refused"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        behaviour = self.behaviour
        content = envelope.original_content or b""
        delivery = self._deliveries.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.lose_reply and server.transport is not None:
            server.transport.close()
        return f"250 2.0.0 Kept as message {delivery.number}"

    async def _hold(self) -> None:
        if not self.behaviour.hang:
            return
        self.held += 1
        try:
            while self.behaviour.hang:
                await self._behaviour_changed.wait()
        finally:
            self.held -= 1
