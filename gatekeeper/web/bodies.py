"""Reads request bodies, and never more of one than is allowed.

A server thread waits while a body arrives, and Granian offers no way to give up on one. Whoever
sends slowly holds a thread; so the web process must stand behind a proxy that buffers requests, as
the routers of platforms do (see docs/operations.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_LENGTH_DIGITS_MAX: Final = 12


class BodyTooLarge(Exception):
    """The body is longer than anything that is sent here."""


def read_body(environ: WSGIEnvironment, max_bytes: int) -> bytes:
    """Read the body. Without a length, from a server that ends the stream (a chunked body).

    Raises BodyTooLarge.
    """
    declared = environ.get("CONTENT_LENGTH") or ""
    if declared.isascii() and declared.isdigit():
        size = int(declared[:_LENGTH_DIGITS_MAX])
        if size > max_bytes:
            raise BodyTooLarge
        return bytes(environ["wsgi.input"].read(size))
    if not environ.get("wsgi.input_terminated"):
        return b""
    body = bytes(environ["wsgi.input"].read(max_bytes + 1))
    if len(body) > max_bytes:
        raise BodyTooLarge
    return body
