"""Checkout Sessions as the tests open them, and their pages as a browser gets them."""

from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import stripe

SHOP = "http://127.0.0.1:9/billing"
DECLINED = "4000 0000 0000 0002"
DECLINED_LATER = "4000 0000 0000 0341"
AUTHENTICATES = "4000 0027 6000 3184"
AUTHENTICATES_ONCE = "4000 0025 0000 3155"

_URLS = {"success_url": f"{SHOP}?session={{CHECKOUT_SESSION_ID}}", "cancel_url": f"{SHOP}/buy"}


def item(unit_amount: int = 4500, *, quantity: int = 1, **product: Any) -> dict[str, Any]:
    """Return a line item with its price inline."""
    data = {"name": "500 credits", **product}
    price = {"currency": "usd", "unit_amount": unit_amount, "product_data": data}
    return {"quantity": quantity, "price_data": price}


def open_checkout(client: stripe.StripeClient, **params: Any) -> stripe.checkout.Session:
    """Open a session to buy credits for 45 dollars, unless the parameters say otherwise.

    A parameter that is `None` is left out.
    """
    values = {"mode": "payment", "line_items": [item()], **_URLS, **params}
    return _create(client, values)


def open_setup(client: stripe.StripeClient, **params: Any) -> stripe.checkout.Session:
    """Open a session to save a card."""
    return _create(client, {"mode": "setup", "currency": "usd", **_URLS, **params})


def _create(client: stripe.StripeClient, values: Any) -> stripe.checkout.Session:
    given: Any = {name: value for name, value in values.items() if value is not None}
    return client.v1.checkout.sessions.create(params=given)


def url_of(session: stripe.checkout.Session) -> str:
    """Return the address of an open session's page."""
    assert session.url is not None
    return session.url


class Page:
    """An answer to a browser that follows no redirects."""

    def __init__(self, method: str, url: str, **fields: str) -> None:
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        body = urlencode(fields) if method == "POST" else None
        connection.request(method, parts.path, body)
        response = connection.getresponse()
        self.status = response.status
        self.headers = response.headers
        self.html = response.read().decode()
        connection.close()


def browse(url: str) -> Page:
    """Open a page."""
    return Page("GET", url)
