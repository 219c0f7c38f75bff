"""The portal's two cookies: one says who is signed in, Flask's own guards forms."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from flask import Request
from werkzeug.wrappers import Response

from gatekeeper.ledger.sessions import SESSION_MAX_S

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def are_secure(origin: str) -> bool:
    """Tell whether cookies are for TLS alone; they are, but for http on this very machine."""
    parts = urlsplit(origin)
    return parts.scheme != "http" or parts.hostname not in _LOOPBACK


def cookie_name(name: str, *, secure: bool) -> str:
    """Name a cookie so that only this host can have set it, where browsers can promise that.

    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Set-Cookie#cookie_prefixes
    """
    return f"__Host-{name}" if secure else name


class SessionCookie:
    """The cookie that holds a session's token, and nothing else."""

    def __init__(self, *, secure: bool) -> None:
        self.name: Final = cookie_name("gatekeeper", secure=secure)
        self._secure = secure

    def read(self, request: Request) -> str | None:
        """Read the token that a request shows."""
        return request.cookies.get(self.name)

    def give(self, response: Response, token: str) -> None:
        """Let the browser keep a token as long as any session lives."""
        response.set_cookie(
            self.name,
            token,
            max_age=SESSION_MAX_S,
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )

    def take(self, response: Response) -> None:
        """Let the browser forget it."""
        response.delete_cookie(
            self.name, path="/", secure=self._secure, httponly=True, samesite="Lax"
        )
