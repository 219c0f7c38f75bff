"""How handing over an e-mail fails, told without the words of the server.

Servers repeat the addresses they are given, and failures end in logs and on the dashboard.
"""

from __future__ import annotations

import binascii
import re
import smtplib
import socket
import ssl
from typing import Final

from gatekeeper.mail.smtp_session import Deadline


class RecipientRefused(Exception):
    """The mail server refuses this recipient for good; trying again is no use."""


class MailServerUnavailable(Exception):
    """The e-mail could not be handed over, and not because of its recipient; try again later."""


def translate(
    error: Exception, server: str, deadline: Deadline
) -> RecipientRefused | MailServerUnavailable:
    """Turn what smtplib, ssl or socket raised into one of the two failures there are."""
    if _refuses_recipient(error):
        return RecipientRefused(f"{server} refused the recipient")
    if deadline.has_passed:
        return MailServerUnavailable(f"{server} did not finish in {deadline.timeout_s:g} s")
    return MailServerUnavailable(f"{server} {_complaint(error)}")


#: Replies to RCPT that are about the conversation: out of sequence, authentication required.
_NOT_ABOUT_RECIPIENT: Final = frozenset({503, 530})

_PERMANENT: Final = range(500, 600)

_EXTENDED_STATUS: Final = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?!\S)")

#: Extended status codes (RFC 3463) about the recipient's address or mailbox. Left out are 5.1.7
#: and 5.1.8, which are about the sender's; added is 5.4.1, Exchange Online's "no such recipient".
_ABOUT_RECIPIENT: Final = re.compile(rb"5\.(?:1\.(?![78]$)\d+|2\.\d+|4\.1)$")


def _refuses_recipient(error: Exception) -> bool:
    """Tell a recipient who can never be reached from a server that wants none of our e-mail.

    Servers refuse senders, clients and all relaying at the recipient, too. Where the reply has an
    extended status, that decides. Where it has none, a recipient refused for good is believed to
    be, while a message refused once it was read is more likely a question of policy.
    """
    match error:
        case smtplib.SMTPRecipientsRefused():
            code, reply = _recipient_reply(error)
            believed = code not in _NOT_ABOUT_RECIPIENT
        case smtplib.SMTPDataError(smtp_code=int(code), smtp_error=bytes(reply)):
            believed = False
        case _:
            return False
    status = _EXTENDED_STATUS.match(reply)
    if status is not None:
        believed = _ABOUT_RECIPIENT.match(status[0]) is not None
    return believed and code in _PERMANENT


def _recipient_reply(error: smtplib.SMTPRecipientsRefused) -> tuple[int, bytes]:
    (reply,) = error.recipients.values()  # a message has one recipient
    return reply


#: The first that fits counts, so each class stands before its base.
_COMPLAINTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (smtplib.SMTPSenderRefused, "did not accept the sender ({0.smtp_code})"),
    (smtplib.SMTPDataError, "did not accept the message ({0.smtp_code})"),
    (
        smtplib.SMTPAuthenticationError,
        "did not accept the user name and password ({0.smtp_code})",
    ),
    (smtplib.SMTPResponseException, "gave an unexpected answer ({0.smtp_code})"),
    (smtplib.SMTPNotSupportedError, "lacks what its URL asks for: {0}"),
    (smtplib.SMTPServerDisconnected, "closed the connection"),
    (smtplib.SMTPException, "does not answer as a mail server does"),
    (binascii.Error, "does not answer as a mail server does"),
    (ssl.SSLCertVerificationError, "has a certificate that can't be trusted: {0.verify_message}"),
    (ssl.SSLError, "could not agree on TLS: {0.reason}"),
    (socket.gaierror, "has a host name that can't be resolved"),
    (TimeoutError, "did not answer"),
    (OSError, "can't be reached: {0.strerror}"),
)


def _complaint(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"did not accept the recipient ({_recipient_reply(error)[0]})"
    words = next(words for kind, words in _COMPLAINTS if isinstance(error, kind))
    return words.format(error)
