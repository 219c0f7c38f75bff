"""Events: https://docs.stripe.com/api/events."""

from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.rendering import page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call


def retrieve(call: Call) -> Json:
    """Return an event."""
    return call.state.find("event", call.args["event"], param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List events; a type may end in `*`."""
    types = call.params.get("types", [])
    if "type" in call.params:
        types = [*types, call.params["type"]]

    def keep(body: Json) -> bool:
        return not types or any(_is(body["type"], type_) for type_ in types)

    return page(call, "event", "/v1/events", keep=keep)


def _is(type_: str, wanted: str) -> bool:
    return type_.startswith(wanted[:-1]) if wanted.endswith("*") else type_ == wanted


ROUTES: Final = (
    Route(
        "GET",
        "/v1/events",
        list_all,
        params.list_fields(
            {
                "created": params.time_range,
                "type": params.identifier,
                "types": params.list_of(params.identifier),
            }
        ),
        "event",
        listing=True,
    ),
    Route("GET", "/v1/events/{event}", retrieve, params.fields({}), "event"),
)
