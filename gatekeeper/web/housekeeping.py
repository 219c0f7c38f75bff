"""Keeps what people and monitors ask for from holding the threads that answer calls."""

from __future__ import annotations

from collections.abc import Iterable
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What Stripe tells is part of calls being answered, and the other waits for nobody.
_NEVER_WAIT: Final = frozenset({"/stripe/webhook", "/healthz"})
#: The dashboard asks for a few things at once; they take turns for so long.
_TURN_TIMEOUT_S: Final = 0.2


def limit_housekeeping(app: WSGIApplication, threads: int) -> WSGIApplication:
    """Let at most half of the server's threads wait for what is not a call; others get 503."""
    turns = BoundedSemaphore(max(1, threads // 2))

    def limited(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO", "") in _NEVER_WAIT:
            return app(environ, start_response)
        if not turns.acquire(timeout=_TURN_TIMEOUT_S):
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"503 busy, try again\n"]
        try:
            return app(environ, start_response)
        finally:
            turns.release()

    return limited
