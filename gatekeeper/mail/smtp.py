"""Handing e-mail to a mail server."""

from __future__ import annotations

import binascii
import ssl
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Self

from gatekeeper.mail.smtp_errors import MailServerUnavailable, RecipientRefused, translate
from gatekeeper.mail.smtp_session import Deadline, SmtpSession
from gatekeeper.mail.smtp_url import MailServer, Security, parse_smtp_url

__all__ = ["MailServerUnavailable", "RecipientRefused", "SmtpRelay"]


@dataclass(frozen=True, slots=True)
class SmtpRelay:
    """A mail server that passes e-mail on. Every message has a connection of its own."""

    server: MailServer
    timeout_s: float
    tls_context: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def from_url(
        cls, url: str, *, timeout_s: float = 20.0, tls_context: ssl.SSLContext | None = None
    ) -> Self:
        """Read a URL as smtp_url.py describes it.

        `timeout_s` bounds the whole of one `send`. `tls_context` says whose certificates are
        trusted; without it, those of the system's authorities are. Raises ValueError, without any
        part of the URL, for one that can't be used.
        """
        return cls(parse_smtp_url(url), timeout_s, tls_context)

    def send(self, message: EmailMessage) -> None:
        """Hand over a message to its one recipient; return once the server has taken it.

        Takes at most `timeout_s` (see SmtpSession), however slowly the server answers. After
        MailServerUnavailable the server may have the message all the same, if its answer was what
        got lost; the repetition carries the same Message-ID.

        Raises RecipientRefused or MailServerUnavailable. Both name the server, and neither the
        recipient nor what the server said, as servers repeat the addresses they are given.
        """
        self._converse(lambda deadline: self._hand_over(message, deadline))

    def check(self) -> None:
        """Greet the server, encrypt and log in as for a message, and leave without one.

        Takes at most `timeout_s`. Raises MailServerUnavailable.
        """
        self._converse(self._visit)

    def _converse(self, talk: Callable[[Deadline], None]) -> None:
        """Talk to the server, and tell a failure in our own words."""
        deadline = Deadline(self.timeout_s)
        try:
            talk(deadline)
        except (OSError, binascii.Error) as error:  # the second: a login challenge isn't base64
            failure = translate(error, str(self.server), deadline)
        else:
            return
        # Raised outside of the handler, so that what was caught, which names the recipient, is not
        # chained to it.
        raise failure

    def _visit(self, deadline: Deadline) -> None:
        with closing(self._connect(deadline)) as session:
            self._enter(session)
            session.quit()

    def _hand_over(self, message: EmailMessage, deadline: Deadline) -> None:
        sender, recipient = _mailbox(message, "From"), _mailbox(message, "To")
        with closing(self._connect(deadline)) as session:
            self._enter(session)
            if not (recipient.isascii() or session.has_extn("smtputf8")):
                raise RecipientRefused(f"{self.server} takes only addresses in ASCII")
            session.send_message(message, from_addr=sender, to_addrs=[recipient])
            # From here on the message is the server's: a failed farewell must not repeat it. Nor is
            # it waited for, as in Postfix (https://www.postfix.org/postconf.5.html,
            # smtp_skip_quit_response).
            with suppress(OSError):
                session.putcmd("QUIT")

    def _connect(self, deadline: Deadline) -> SmtpSession:
        tls = self._tls() if self.server.security is Security.TLS else None
        return SmtpSession(self.server.host, self.server.port, deadline=deadline, tls=tls)

    def _enter(self, session: SmtpSession) -> None:
        """Encrypt and log in, as far as the server's URL asks for it."""
        session.ehlo_or_helo_if_needed()
        offered, security = session.has_extn("starttls"), self.server.security
        if security is Security.STARTTLS or (security is Security.STARTTLS_IF_OFFERED and offered):
            session.starttls(context=self._tls())
            session.ehlo()
        if self.server.username:
            session.login(self.server.username, self.server.password)

    def _tls(self) -> ssl.SSLContext:
        return self.tls_context or ssl.create_default_context()


def _mailbox(message: EmailMessage, header: str) -> str:
    (address,) = message[header].addresses
    return str(address.addr_spec)
