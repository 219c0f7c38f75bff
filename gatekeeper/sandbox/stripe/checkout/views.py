"""The pages as HTML: templates, with every value escaped, and the headers that go with them."""

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gatekeeper.sandbox.stripe.currencies import price_text
from gatekeeper.sandbox.stripe.wire import Reply

_TEMPLATES: Final = Path(__file__).parent / "templates"
_STYLESHEET: Final = (_TEMPLATES / "checkout.css").read_bytes()

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def money(amount_minor: int, currency: str) -> str:
    """Write an amount as a customer reads it, as in `$20.00 USD`."""
    return f"{price_text(amount_minor, currency)} {currency.upper()}"


def day(at_s: int) -> str:
    """Write a Unix time as a date in UTC, as in `22 November 2026`."""
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%B %Y}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "day": day}
    return environment


_ENVIRONMENT: Final = _environment()


def html_page(
    template: str, status: int = HTTPStatus.OK, *, leads_to: str | None = None, **values: Any
) -> Reply:
    """Build an answer from a template.

    `leads_to` is where its form may send the browser in the end; browsers check the redirect after
    a form as they check its action.
    """
    body = _ENVIRONMENT.get_template(template).render(values).encode()
    headers = {**_HEADERS, "Content-Security-Policy": _policy(leads_to)}
    return Reply(status, body, headers, content_type="text/html; charset=utf-8")


def _policy(leads_to: str | None) -> str:
    targets = ["'self'"]
    if leads_to is not None:
        parts = urlsplit(leads_to)
        targets.append(f"{parts.scheme}://{parts.netloc}")
    return (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {' '.join(targets)}"
    )


def stylesheet() -> Reply:
    """Return the style of all pages."""
    headers = {"X-Content-Type-Options": "nosniff"}
    return Reply(HTTPStatus.OK, _STYLESHEET, headers, content_type="text/css; charset=utf-8")


def redirect(url: str) -> Reply:
    """Send the browser on after a form."""
    return Reply(
        HTTPStatus.SEE_OTHER, b"", {**_HEADERS, "Location": url}, content_type="text/plain"
    )
