"""The balance, the cheapest way to try a key: https://docs.stripe.com/api/balance."""

from collections import Counter
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call


def retrieve(call: Call) -> Json:
    """Return what was charged, all of it still pending; Stripe's fees are left out."""
    amounts: Counter[str] = Counter()
    for charge in call.state.all("charge"):
        amounts[charge["currency"]] += charge["amount_captured"]
    return {
        "object": "balance",
        "available": [_of(currency, 0) for currency in amounts],
        "livemode": False,
        "pending": [_of(currency, amount_minor) for currency, amount_minor in amounts.items()],
    }


def _of(currency: str, amount_minor: int) -> Json:
    return {"amount": amount_minor, "currency": currency, "source_types": {"card": amount_minor}}


ROUTES: Final = (Route("GET", "/v1/balance", retrieve, params.fields({}), "balance"),)
