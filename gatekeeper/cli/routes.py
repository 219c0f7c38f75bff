"""Routes that would bring a call back to this gate, to be charged again and again."""

from __future__ import annotations

import posixpath
from collections.abc import Container
from urllib.parse import SplitResult, unquote, urlsplit

from gatekeeper.domain.route import InvalidRoute, Route, RouteKind

_VOICE_PATH = "/voice/"
_WEB_PORTS = {"http": 80, "https": 443}


def read_route(text: str, *, public_origin: str, own_numbers: Container[str] = ()) -> Route:
    """Read a route as a person writes it, and make sure that it leads away from here.

    `own_numbers` are the account's. Raises InvalidRoute.
    """
    route = Route.parse(text)
    if route.kind is RouteKind.REDIRECT and is_own_webhook(route.target, public_origin):
        raise InvalidRoute("the URL is this gate's own voice webhook: a call would never leave it")
    if route.kind is RouteKind.NUMBER and route.target in own_numbers:
        raise InvalidRoute("the number is the account's own: every call would call itself")
    return route


def is_own_webhook(url: str, public_origin: str) -> bool:
    """Tell whether Twilio, sent to this URL, would arrive at our own voice webhook."""
    theirs, ours = urlsplit(url), urlsplit(public_origin)
    if theirs.hostname != ours.hostname or not _same_door(theirs, ours):
        return False
    path = posixpath.normpath("/" + unquote(theirs.path).lstrip("/"))
    return f"{path}/".startswith(_VOICE_PATH)


def _same_door(theirs: SplitResult, ours: SplitResult) -> bool:
    """Compare ports; the web's own two count as one, as http:// is usually sent on to https://."""
    web = set(_WEB_PORTS.values())
    ports = {parts.port or _WEB_PORTS[parts.scheme] for parts in (theirs, ours)}
    return len(ports) == 1 or ports == web
