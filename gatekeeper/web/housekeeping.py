"""Keeps what people and monitors ask for from holding the threads that answer calls."""

from __future__ import annotations

from collections.abc import Iterable
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: What Stripe tells is part of calls being answered, and the other waits for nobody.
_NEVER_WAIT: Final = frozenset({"/stripe/webhook", "/healthz"})
#: They must tell how things are while pages wait for something, and have a turn to themselves.
_FOR_MONITORS: Final = frozenset({"/readyz", "/metrics"})
#: The dashboard asks for a few things at once; they take turns for so long.
_TURN_TIMEOUT_S: Final = 0.2

#: What is answered when there is no turn, to whom a page says nothing.
BUSY: Final = Response("503 busy, try again\n", 503, {"Retry-After": "5"}, mimetype="text/plain")


def limit_housekeeping(
    app: WSGIApplication, threads: int, *, busy: WSGIApplication = BUSY
) -> WSGIApplication:
    """Let at most half of the server's threads wait for what people ask for.

    Others get the answer of `busy`, which must wait for nothing itself. Every answer is handed over
    whole: of one that comes in pieces, the server's thread would wait until the client has taken
    each, for ever if it takes none.
    """
    for_pages, for_monitors = BoundedSemaphore(max(1, threads // 2)), BoundedSemaphore(1)

    def limited(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in _NEVER_WAIT:
            return _read_whole(app(environ, start_response))
        turns, refusal = (for_monitors, BUSY) if path in _FOR_MONITORS else (for_pages, busy)
        if not turns.acquire(timeout=_TURN_TIMEOUT_S):
            return _read_whole(refusal(environ, start_response))
        try:
            return _read_whole(app(environ, start_response))
        finally:
            turns.release()

    return limited


def _read_whole(answer: Iterable[bytes]) -> list[bytes]:
    """Read an answer to its end. A list is all that granian sends without a thread of ours."""
    try:
        return [b"".join(answer)]
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
