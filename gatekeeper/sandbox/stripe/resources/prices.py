"""Prices by the unit, recurring or for one time: https://docs.stripe.com/api/prices."""

from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id

_RECURRING: Final = params.fields(
    {
        "interval": params.choice("day", "month", "week", "year"),
        "interval_count": params.integer(minimum=1),
    },
    required=("interval",),
)


def create(call: Call) -> Json:
    """Create a price of a product."""
    values: dict[str, Any] = call.params
    product = call.state.find("product", values["product"], param="product")
    recurring = values.get("recurring")
    body: Json = {
        "id": new_id("price"),
        "object": "price",
        "active": values.get("active", True),
        "billing_scheme": "per_unit",
        "created": call.now_s(),
        "currency": values["currency"],
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "nickname": values.get("nickname"),
        "product": product["id"],
        "recurring": _recurring(recurring) if recurring else None,
        "tax_behavior": "unspecified",
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": values["unit_amount"],
        "unit_amount_decimal": str(values["unit_amount"]),
    }
    call.emit("price.created", body)
    return call.state.add(body)


def _recurring(given: Json) -> Json:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def retrieve(call: Call) -> Json:
    """Return a price."""
    return call.state.find("price", call.args["price"], param="price", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List prices."""
    keep = having(call, "active", "currency", "product", "type")
    return page(call, "price", "/v1/prices", keep=keep)


ROUTES: Final = (
    Route(
        "POST",
        "/v1/prices",
        create,
        params.fields(
            {
                "currency": params.currency,
                "metadata": params.metadata,
                "nickname": params.string(),
                "product": params.identifier,
                "recurring": _RECURRING,
                "unit_amount": params.integer(minimum=0),
            },
            required=("currency", "product", "unit_amount"),
        ),
        "price",
    ),
    Route(
        "GET",
        "/v1/prices",
        list_all,
        params.list_fields(
            {
                "active": params.boolean,
                "created": params.time_range,
                "currency": params.currency,
                "product": params.identifier,
                "type": params.choice("one_time", "recurring"),
            }
        ),
        "price",
        listing=True,
    ),
    Route("GET", "/v1/prices/{price}", retrieve, params.fields({}), "price"),
)
