"""Products, as much of them as prices need: https://docs.stripe.com/api/products."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id


def create(call: Call) -> Json:
    """Create a product."""
    body: Json = {
        "id": new_id("prod", 14),
        "object": "product",
        "active": True,
        "created": call.now_s(),
        "default_price": None,
        "description": call.params.get("description"),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": params.merge_metadata({}, call.params.get("metadata", {})),
        "name": call.params["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": call.now_s(),
        "url": None,
    }
    call.emit("product.created", body)
    return call.state.add(body)


def retrieve(call: Call) -> Json:
    """Return a product."""
    return call.state.find("product", call.args["product"], param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List products."""
    return page(call, "product", "/v1/products", keep=having(call, "active"))


ROUTES: Final = (
    Route(
        "POST",
        "/v1/products",
        create,
        params.fields(
            {
                "description": params.string(),
                "metadata": params.metadata,
                "name": params.identifier,
            },
            required=("name",),
        ),
        "product",
    ),
    Route(
        "GET",
        "/v1/products",
        list_all,
        params.list_fields({"active": params.boolean, "created": params.time_range}),
        "product",
        listing=True,
    ),
    Route("GET", "/v1/products/{product}", retrieve, params.fields({}), "product"),
)
