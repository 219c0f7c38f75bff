"""What a client gets to see of an object: pages of a list, and expanded references.

Sources: https://docs.stripe.com/api/pagination and https://docs.stripe.com/api/expanding_objects.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import islice
from typing import Final

from gatekeeper.sandbox.stripe.errors import Json, StripeError, invalid_request
from gatekeeper.sandbox.stripe.state import Call, State

_DEFAULT_LIMIT: Final = 10
_MAX_DEPTH: Final = 4

# Which fields hold the id of another object, by kind of object.
_REFERENCES: Final[dict[str, dict[str, str]]] = {
    "customer": {"invoice_settings.default_payment_method": "payment_method"},
    "payment_method": {"customer": "customer"},
    "payment_intent": {
        "customer": "customer",
        "payment_method": "payment_method",
        "latest_charge": "charge",
    },
    "setup_intent": {"customer": "customer", "payment_method": "payment_method"},
    "charge": {"customer": "customer", "payment_intent": "payment_intent"},
    "refund": {"charge": "charge", "payment_intent": "payment_intent"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "price": {"product": "product"},
    "subscription": {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "latest_invoice": "invoice",
    },
    "invoice": {
        "customer": "customer",
        "default_payment_method": "payment_method",
        "parent.subscription_details.subscription": "subscription",
    },
    "checkout.session": {
        "customer": "customer",
        "payment_intent": "payment_intent",
        "setup_intent": "setup_intent",
    },
    "invoice_payment": {"invoice": "invoice", "payment.payment_intent": "payment_intent"},
}


def page(call: Call, kind: str, url: str, *, keep: Callable[[Json], bool] = lambda _: True) -> Json:
    """Return the page of a list that the call's parameters ask for, newest first.

    Objects of the `kind` belong to the list when `keep` says so; `url` is the path of the list.
    Raises StripeError when a cursor names an object that doesn't exist, or both cursors are given.
    """
    params = call.params
    if "starting_after" in params and "ending_before" in params:
        raise invalid_request(
            "You may only specify one of these parameters: starting_after, ending_before.",
            param="starting_after",
        )
    matching = [body for body in call.state.all(kind) if keep(body) and _in_time(call, body)]
    limit = params.get("limit", _DEFAULT_LIMIT)
    if "ending_before" in params:
        newer = list(_after(reversed(matching), call, kind, "ending_before"))
        data, has_more = newer[:limit][::-1], len(newer) > limit
    else:
        rest = _after(matching, call, kind, "starting_after")
        window = list(islice(rest, limit + 1))
        data, has_more = window[:limit], len(window) > limit
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def having(call: Call, *names: str) -> Callable[[Json], bool]:
    """Keep the objects whose fields are what those parameters say that were given."""
    wanted = {name: call.params[name] for name in names if name in call.params}
    return lambda body: all(body[name] == value for name, value in wanted.items())


def _in_time(call: Call, body: Json) -> bool:
    bounds: dict[str, int] = call.params.get("created", {})
    created = body["created"]
    return bool(
        created > bounds.get("gt", -1)
        and created >= bounds.get("gte", 0)
        and created < bounds.get("lt", created + 1)
        and created <= bounds.get("lte", created)
    )


def _after(bodies: Iterable[Json], call: Call, kind: str, cursor: str) -> Iterable[Json]:
    if cursor not in call.params:
        return bodies
    id_ = call.state.find(kind, call.params[cursor], param=cursor)["id"]
    remaining = iter(bodies)
    for body in remaining:
        if body["id"] == id_:
            break
    return remaining


def check_expand(paths: Sequence[str], kind: str, *, listing: bool) -> None:
    """Refuse paths that lead nowhere, before anything is executed.

    Raises StripeError when one is too deep, or names what can't be expanded.
    """
    for path in paths:
        inner = path.removeprefix("data.") if listing else path
        if listing and inner == path:
            raise _not_expandable(path, hint=f" You may want to try expanding 'data.{path}'.")
        if path.count(".") >= _MAX_DEPTH or not _leads_somewhere(inner, kind):
            raise _not_expandable(path)


def _leads_somewhere(path: str, kind: str) -> bool:
    if not path:
        return True
    return any(
        _leads_somewhere(rest, target)
        for field, target in _REFERENCES.get(kind, {}).items()
        if (rest := _below(path, field)) is not None
    )


def _below(path: str, field: str) -> str | None:
    if path == field:
        return ""
    return path.removeprefix(f"{field}.") if path.startswith(f"{field}.") else None


def _not_expandable(path: str, hint: str = "") -> StripeError:
    return invalid_request(f"This property cannot be expanded ({path}).{hint}", param="expand")


def render(state: State, body: Json, paths: Sequence[str]) -> Json:
    """Copy an object or a list for the wire, with the references at `paths` expanded."""
    copy = deepcopy(body)
    targets = copy["data"] if copy["object"] == "list" else [copy]
    for path in paths:
        for target in targets:
            _expand(state, target, path.removeprefix("data."))
    return copy


def _expand(state: State, body: Json, path: str) -> None:
    for field, kind in _REFERENCES.get(body["object"], {}).items():
        rest = _below(path, field)
        if rest is None:
            continue
        *parents, name = field.split(".")
        holder = body
        for parent in parents:
            holder = holder.get(parent) or {}
        if isinstance(holder.get(name), str):
            holder[name] = deepcopy(state.objects[kind][holder[name]])
        if rest and isinstance(holder.get(name), dict):
            _expand(state, holder[name], rest)
