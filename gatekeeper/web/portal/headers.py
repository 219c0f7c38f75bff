"""The headers that every page of the portal is sent with.

Not flask-talisman: it sets headers on the whole application, where telephones' webhooks, Stripe's
and the dashboard of the queues have rules of their own, and it would be switched off for each.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, current_app

from gatekeeper.settings import Settings
from gatekeeper.web.portal.compression import compress_page

_STRIPE_API: Final = "https://api.stripe.com"
_STRIPE_CHECKOUT: Final = "https://checkout.stripe.com"
_EXTENSION: Final = "portal_headers"
_UNUSED_FEATURES: Final = ("camera", "display-capture", "geolocation", "microphone", "payment")


def install_headers(app: Flask, settings: Settings) -> None:
    """Write the headers of an application's pages, for `finish_page`."""
    app.extensions[_EXTENSION] = page_headers(settings)


def finish_page(response: Response) -> Response:
    """Send a page with the portal's headers, but for those it has itself, and compressed."""
    for name, value in current_app.extensions[_EXTENSION].items():
        response.headers.setdefault(name, value)
    return compress_page(response)


def page_headers(settings: Settings) -> dict[str, str]:
    """Write the headers for a deployment."""
    headers = {
        "Content-Security-Policy": _content_security_policy(settings),
        "X-Content-Type-Options": "nosniff",
        # Links to sign in by are secret, and stand in addresses.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _UNUSED_FEATURES),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if not settings.framing_origins:
        headers["X-Frame-Options"] = "DENY"  # for browsers that know no frame-ancestors
    if settings.public_origin.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _content_security_policy(settings: Settings) -> str:
    """Allow our own files and forms, and nothing inline.

    `img-src data:` is for the icons that Pico.css has in it. `form-action` has Checkout's origin,
    for browsers hold the address that a form's answer redirects to against it as well.
    https://www.w3.org/TR/CSP3/#directive-form-action
    """
    directives = {
        "default-src": ("'none'",),
        "script-src": ("'self'",),
        "style-src": ("'self'",),
        "img-src": ("'self'", "data:", *_logo_origin(settings.logo_url)),
        "connect-src": ("'self'",),
        "form-action": ("'self'", _checkout_origin(settings)),
        "base-uri": ("'none'",),
        "frame-ancestors": settings.framing_origins or ("'none'",),
    }
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in directives.items())


def _checkout_origin(settings: Settings) -> str:
    """Find where Checkout's pages are; the sandbox has them where its API is."""
    api = settings.stripe_api_base.get_secret_value().rstrip("/")
    return _STRIPE_CHECKOUT if api == _STRIPE_API else api


def _logo_origin(url: str | None) -> tuple[str, ...]:
    if url is None or url.startswith("/"):
        return ()
    return (f"https://{urlsplit(url).netloc}",)
