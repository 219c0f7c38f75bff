"""Reading the parameters of a request: form-encoded, nested, typed, none of them unknown.

A *reader* turns a raw value (a string, or a dict of raw values) into what a handler works with,
or raises Stripe's 400 for it. Each route names one reader made by `fields`; a parameter that it
doesn't list is refused. Parameters that Stripe knows and the sandbox doesn't are refused too,
rather than taken and ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl

from gatekeeper.sandbox.stripe.currencies import CURRENCIES
from gatekeeper.sandbox.stripe.errors import StripeError, invalid_request

Raw = Any  # str | dict[str, Raw]; arrays arrive as dicts with the keys 0, 1, 2 …
Reader = Callable[[Raw, str], Any]

_METADATA_KEYS: Final = 50
_METADATA_KEY_LENGTH: Final = 40
_METADATA_VALUE_LENGTH: Final = 500


def decode_form(text: str) -> dict[str, Raw]:
    """Decode `a[b]=1&c[0]=2&d[]=3` into nested dicts."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *parents, last = _path(name)
        node = tree
        for part in parents:
            child = node.setdefault(part, {})
            if not isinstance(child, dict):
                raise invalid_request("Invalid object", param=name)
            node = child
        node[last or str(len(node))] = value
    return tree


def _path(name: str) -> list[str]:
    head, *rest = name.split("[")
    return [head, *(part.rstrip("]") for part in rest)]


def fields(readers: Mapping[str, Reader], *, required: Sequence[str] = ()) -> Reader:
    """Read a hash with these members, and no others."""

    def read(raw: Raw, name: str) -> dict[str, Any]:
        if not isinstance(raw, dict):
            raise invalid_request("Invalid object", param=name)
        for key in raw:
            if key not in readers:
                raise _unknown(_member(name, key))
        for key in required:
            if key not in raw:
                raise missing_param(_member(name, key))
        return {key: readers[key](value, _member(name, key)) for key, value in raw.items()}

    return read


def _member(name: str, key: str) -> str:
    return f"{name}[{key}]" if name else key


def _unknown(name: str) -> StripeError:
    return invalid_request(
        f"Received unknown parameter: {name}", code="parameter_unknown", param=name
    )


def missing_param(name: str) -> StripeError:
    """Build the 400 for a parameter that should have been there."""
    return invalid_request(f"Missing required param: {name}.", code="parameter_missing", param=name)


def _text(raw: Raw, name: str) -> str:
    if not isinstance(raw, str):
        raise invalid_request(f"Invalid string: {raw}", param=name)
    return raw


def _non_empty(raw: Raw, name: str) -> str:
    text = _text(raw, name)
    if not text:
        raise invalid_request(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{name}' cannot be unset. You should remove '{name}' "
            "from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=name,
        )
    return text


def string(*, max_length: int = 5000) -> Reader:
    """Read text; the empty string unsets and becomes `None`."""

    def read(raw: Raw, name: str) -> str | None:
        text = _text(raw, name)
        if len(text) > max_length:
            raise invalid_request(
                f"Invalid string: {text[:10]}…; must be at most {max_length} characters",
                code="parameter_invalid_string",
                param=name,
            )
        return text or None

    return read


def identifier(raw: Raw, name: str) -> str:
    """Read the id of an object, which can't be unset."""
    return _non_empty(raw, name)


def optional_identifier(raw: Raw, name: str) -> str | None:
    """Read the id of an object; the empty string unsets and becomes `None`."""
    return _text(raw, name) or None


def integer(*, minimum: int | None = None, maximum: int | None = None) -> Reader:
    """Read a whole number within bounds."""

    def read(raw: Raw, name: str) -> int:
        text = _non_empty(raw, name)
        if not text.removeprefix("-").isdecimal():
            raise _bad_integer(f"Invalid integer: {text}", name)
        value = int(text)
        if minimum is not None and value < minimum:
            raise _bad_integer(f"This value must be greater than or equal to {minimum}.", name)
        if maximum is not None and value > maximum:
            raise _bad_integer(f"This value must be less than or equal to {maximum}.", name)
        return value

    return read


def _bad_integer(message: str, name: str) -> StripeError:
    return invalid_request(message, code="parameter_invalid_integer", param=name)


def boolean(raw: Raw, name: str) -> bool:
    """Read `true` or `false`."""
    text = _non_empty(raw, name)
    if text not in {"true", "false"}:
        raise invalid_request(f"Invalid boolean: {text}", param=name)
    return text == "true"


def choice(*values: str) -> Reader:
    """Read one of the given words."""

    def read(raw: Raw, name: str) -> str:
        text = _non_empty(raw, name)
        if text not in values:
            words = f"{', '.join(values[:-1])}, or {values[-1]}" if values[1:] else values[0]
            raise invalid_request(f"Invalid {name}: must be one of {words}", param=name)
        return text

    return read


def boolean_or(*values: str) -> Reader:
    """Read a boolean, or one of the given words, which mean `True`."""
    words = choice("true", "false", *values)
    return lambda raw, name: words(raw, name) != "false"


def optional(reader: Reader) -> Reader:
    """Read what another reader does; the empty string unsets and becomes `None`."""
    return lambda raw, name: None if raw == "" else reader(raw, name)


def list_of(reader: Reader) -> Reader:
    """Read an array."""

    def read(raw: Raw, name: str) -> list[Any]:
        if not isinstance(raw, dict) or set(raw) != {str(index) for index in range(len(raw))}:
            raise invalid_request("Invalid array", param=name)
        return [reader(raw[str(index)], f"{name}[{index}]") for index in range(len(raw))]

    return read


def currency(raw: Raw, name: str) -> str:
    """Read a currency that Stripe charges in; the answer is in lower case."""
    code = _non_empty(raw, name).lower()
    if code not in CURRENCIES:
        raise invalid_request(
            f"Invalid currency: {code}. Stripe currently supports these currencies: "
            f"{', '.join(CURRENCIES)}",
            param=name,
        )
    return code


def metadata(raw: Raw, name: str) -> dict[str, str]:
    """Read metadata to merge; an empty value removes its key, an empty string all of them.

    The second case comes back as `{"": ""}`, a key that can't otherwise occur.
    """
    if raw == "":
        return {"": ""}
    if not isinstance(raw, dict):
        raise invalid_request("Invalid object", param=name)
    if len(raw) > _METADATA_KEYS:
        raise invalid_request(f"Metadata can have at most {_METADATA_KEYS} keys.", param=name)
    for key, value in raw.items():
        if len(key) > _METADATA_KEY_LENGTH:
            raise invalid_request(
                f"Metadata keys must be at most {_METADATA_KEY_LENGTH} characters.", param=name
            )
        if len(_text(value, f"{name}[{key}]")) > _METADATA_VALUE_LENGTH:
            raise invalid_request(
                f"Metadata values must be at most {_METADATA_VALUE_LENGTH} characters.",
                param=f"{name}[{key}]",
            )
    return dict(raw)


def merge_metadata(current: dict[str, str], update: dict[str, str]) -> dict[str, str]:
    """Apply what `metadata` read to the metadata of an object."""
    if update == {"": ""}:
        return {}
    return {key: value for key, value in {**current, **update}.items() if value}


_ADDRESS_PARTS: Final = ("city", "country", "line1", "line2", "postal_code", "state")
_address_parts = fields({part: string() for part in _ADDRESS_PARTS})


def address(raw: Raw, name: str) -> dict[str, str | None]:
    """Read an address; parts that aren't given are `None`."""
    return {**dict.fromkeys(_ADDRESS_PARTS), **_address_parts(raw, name)}


# Which payment methods an intent may be paid with; the sandbox has cards alone.
allowed_payment_method_types: Final = list_of(choice("card"))


def payment_method_types(_: Raw, name: str) -> NoReturn:
    """Refuse what was the way to say it until API 2026-09-30.endive.

    Source: https://docs.stripe.com/changelog/endive/2026-09-30/
    removes-the-payment-method-types-parameter-from-payment-intents-and-setup-intents.
    """
    raise invalid_request(
        "The `payment_method_types` parameter is no longer supported on this API version. Use "
        "`allowed_payment_method_types` instead.",
        code="payment_method_types_no_longer_supported",
        param=name,
    )


_moment = integer(minimum=0)
_range = fields({"gt": _moment, "gte": _moment, "lt": _moment, "lte": _moment})


def time_range(raw: Raw, name: str) -> dict[str, int]:
    """Read a filter on a time: a Unix time in seconds, or a hash of gt, gte, lt and lte."""
    if isinstance(raw, dict):
        bounds: dict[str, int] = _range(raw, name)
        return bounds
    at_s: int = _moment(raw, name)
    return {"gte": at_s, "lte": at_s}


_LIST_READERS: Final[Mapping[str, Reader]] = {
    "limit": integer(minimum=1, maximum=100),
    "starting_after": identifier,
    "ending_before": identifier,
}


def list_fields(filters: Mapping[str, Reader]) -> Reader:
    """Read the parameters of a list: paging and these filters."""
    return fields({**_LIST_READERS, **filters})
