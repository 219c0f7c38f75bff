"""The URL that names a mail server, and what its scheme promises about encryption.

=====================  ======================================================  ============
scheme                 encryption                                              default port
=====================  ======================================================  ============
``smtps://``           TLS from the first byte                                 465
``smtp+starttls://``   STARTTLS, or no e-mail                                  587
``smtp://``            on this machine (localhost, 127.0.0.0/8, ::1) none;     25
                       elsewhere STARTTLS if the server offers it, and, if
                       the URL holds a password, STARTTLS or no e-mail
=====================  ======================================================  ============

Wherever there is TLS, the certificate is checked. So a password never crosses a network in the
clear, nor to a server that can't prove its name.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit


class Security(StrEnum):
    """How a connection is encrypted."""

    NONE = "none"
    STARTTLS_IF_OFFERED = "starttls_if_offered"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where a mail server is and how to enter it.

    `username` is hidden as the password is: with some providers they are the same token.
    """

    host: str
    port: int
    security: Security
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"mail server {self.host}:{self.port}"


def parse_smtp_url(url: str) -> MailServer:
    """Read ``scheme://[user:password@]host[:port]``, user and password percent-encoded.

    Raises ValueError, without any part of the URL, for one that can't be used.
    """
    parts = _split(url)
    host = _host(parts)
    username, password = _credentials(parts)
    return MailServer(
        host=host,
        port=_port(parts),
        security=_security(parts.scheme, host, has_password=bool(password)),
        username=username,
        password=password,
    )


_DEFAULT_PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def _split(url: str) -> SplitResult:
    parts = _parsed(url)
    if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            "the SMTP URL must be scheme://user:password@host:port, "
            "user and password percent-encoded, and nothing after the port"
        )
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("the SMTP URL must start with smtp://, smtp+starttls:// or smtps://")
    return parts


def _parsed(url: str) -> SplitResult | None:
    # The errors suppressed here and below quote the URL, so they must not even be chained.
    with suppress(ValueError):
        return urlsplit(url)
    return None


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    with suppress(UnicodeError):
        if host.encode("idna"):
            return host
    raise ValueError("the SMTP URL has no usable host")


def _port(parts: SplitResult) -> int:
    with suppress(ValueError):
        if parts.port != 0:
            return parts.port or _DEFAULT_PORTS[parts.scheme]
    raise ValueError("the SMTP URL's port must be a number from 1 to 65535")


def _credentials(parts: SplitResult) -> tuple[str, str]:
    username, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(username) != bool(password):
        raise ValueError("the SMTP URL has a user name without a password, or the reverse")
    if not (username + password).isascii():  # smtplib sends no others
        raise ValueError("the SMTP URL's user name and password must be ASCII")
    return username, password


def _security(scheme: str, host: str, *, has_password: bool) -> Security:
    if scheme == "smtps":
        return Security.TLS
    if scheme == "smtp+starttls":
        return Security.STARTTLS
    if _is_this_machine(host):
        return Security.NONE
    return Security.STARTTLS if has_password else Security.STARTTLS_IF_OFFERED


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
