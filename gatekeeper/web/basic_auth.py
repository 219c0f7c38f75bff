"""HTTP basic authentication (RFC 7617) for the monitors that read /metrics."""

from __future__ import annotations

import base64
import hmac

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

Credentials = tuple[bytes, bytes]


def credentials(username: str, password: str) -> Credentials:
    """Prepare what requests must show.

    Raises ValueError when one is empty, or the username holds a colon (basic authentication ends
    it there). The message has no value in it.
    """
    if not username or not password:
        raise ValueError("basic authentication needs both a username and a password")
    if ":" in username:
        raise ValueError("the username of basic authentication must not hold a colon")
    return username.encode(), password.encode()


def require_credentials(expected: Credentials) -> None:
    """Raise Unauthorized unless the request shows these credentials."""
    given = _given(request.headers.get("Authorization", ""))
    # Both are always compared, each in constant time: neither tells how far a guess was right.
    matches = [hmac.compare_digest(a, b) for a, b in zip(given, expected, strict=True)]
    if not all(matches):
        challenge: dict[str, str | None] = {"realm": "Gatekeeper operations", "charset": "UTF-8"}
        raise Unauthorized(www_authenticate=WWWAuthenticate("basic", challenge))


def _given(header: str) -> Credentials:
    """Return username and password, both empty when the header gives none.

    Werkzeug's own parser raises on a header with characters outside ASCII.
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except ValueError:
        return b"", b""
    username, _, password = decoded.partition(b":")
    return username, password
