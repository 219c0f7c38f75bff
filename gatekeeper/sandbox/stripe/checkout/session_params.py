"""What a request about a Checkout Session may say, and which parameters go together."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json, StripeError, invalid_request

STATUSES: Final = ("complete", "expired", "open")

_MINUTE_S: Final = 60
_SHORTEST_S: Final = 30 * _MINUTE_S
LONGEST_S: Final = 24 * 60 * _MINUTE_S

_HOST: Final = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_NOT_IN_URLS: Final = frozenset(' "<>\\')
_EMAIL: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s.<>]+")

# Which parameters belong to one mode alone.
_OF_PAYMENT: Final = ("line_items", "payment_intent_data", "saved_payment_method_options")
_OF_SETUP: Final = ("setup_intent_data",)


def url(raw: params.Raw, name: str) -> str:
    """Read an address to send a browser to."""
    text = params.identifier(raw, name)
    if not _is_url(text):
        raise invalid_request("Not a valid URL", code="url_invalid", param=name)
    return text


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    known = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.netloc)
    return bool(known) and text.isascii() and text.isprintable() and not set(text) & _NOT_IN_URLS


def email(raw: params.Raw, name: str) -> str:
    """Read an e-mail address."""
    text = params.identifier(raw, name)
    if not is_email(text):
        raise invalid_request(f"Invalid email address: {text}", code="email_invalid", param=name)
    return text


def is_email(text: str) -> bool:
    """Tell whether a text looks like an e-mail address."""
    return _EMAIL.fullmatch(text) is not None


_PRODUCT_DATA: Final = params.fields(
    {
        "description": params.string(),
        "metadata": params.metadata,
        "name": params.identifier,
    },
    required=("name",),
)
_PRICE_DATA: Final = params.fields(
    {
        "currency": params.currency,
        "product": params.identifier,
        "product_data": _PRODUCT_DATA,
        "unit_amount": params.integer(minimum=0),
    },
    required=("currency", "unit_amount"),
)
_LINE_ITEM: Final = params.fields(
    {
        "metadata": params.metadata,
        "price": params.identifier,
        "price_data": _PRICE_DATA,
        "quantity": params.integer(minimum=1, maximum=999_999),
    },
    required=("quantity",),
)
_SWITCH: Final = params.choice("disabled", "enabled")

CREATE: Final = params.fields(
    {
        "allowed_payment_method_types": params.allowed_payment_method_types,
        "cancel_url": url,
        "client_reference_id": params.string(max_length=200),
        "currency": params.currency,
        "customer": params.identifier,
        "customer_creation": params.choice("always", "if_required"),
        "customer_email": email,
        "expires_at": params.integer(),
        "line_items": params.list_of(_LINE_ITEM),
        "metadata": params.metadata,
        "mode": params.choice("payment", "setup"),
        "payment_intent_data": params.fields(
            {
                "description": params.string(),
                "metadata": params.metadata,
                "receipt_email": email,
                "setup_future_usage": params.choice("off_session", "on_session"),
            }
        ),
        "payment_method_types": params.payment_method_types,
        "saved_payment_method_options": params.fields({"payment_method_save": _SWITCH}),
        "setup_intent_data": params.fields(
            {"description": params.string(), "metadata": params.metadata}
        ),
        "success_url": url,
        "ui_mode": params.choice("hosted_page"),
    },
    required=("mode", "success_url"),
)
LIST: Final = params.list_fields(
    {
        "created": params.time_range,
        "customer": params.identifier,
        "payment_intent": params.identifier,
        "status": params.choice(*STATUSES),
    }
)


def check_together(values: dict[str, Any], *, now_s: int) -> None:
    """Refuse parameters that contradict each other. Raises StripeError (400)."""
    _check_mode(values)
    for other in ("customer_email", "customer_creation"):
        if "customer" in values and other in values:
            raise invalid_request(
                f"You may only specify one of these parameters: customer, {other}.",
                param="customer",
            )
    _check_saving(values)
    if "expires_at" in values:
        _check_expiry(values["expires_at"] - now_s)


def _check_mode(values: dict[str, Any]) -> None:
    mode = values["mode"]
    for name in _OF_SETUP if mode == "payment" else _OF_PAYMENT:
        if name in values:
            raise invalid_request(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if mode == "payment" and not values.get("line_items"):
        raise params.missing_param("line_items")
    if mode == "setup" and not {"currency", "allowed_payment_method_types"} & set(values):
        raise params.missing_param("currency")


def _check_saving(values: Json) -> None:
    known = "customer" in values or values.get("customer_creation") == "always"
    if offers_saving(values) and not known:
        raise invalid_request(
            "Saving a payment method requires a Customer. Pass an existing `customer`, or set "
            "`customer_creation` to `always`.",
            param="saved_payment_method_options[payment_method_save]",
        )


def offers_saving(session: Json) -> bool:
    """Tell whether the customer may choose to save the card, by a session or its parameters."""
    options = session.get("saved_payment_method_options") or {}
    return bool(options.get("payment_method_save") == "enabled")


def _check_expiry(lasts_s: int) -> None:
    if lasts_s > LONGEST_S:
        raise _bad_expiry("less than 24 hours")
    # A little leeway: the client has counted from a moment before the request came in.
    if lasts_s < _SHORTEST_S - _MINUTE_S:
        raise _bad_expiry("at least 30 minutes")


def _bad_expiry(bound: str) -> StripeError:
    return invalid_request(
        f"The `expires_at` timestamp must be {bound} from Checkout Session creation.",
        param="expires_at",
    )
