"""What is bought in a Checkout Session: existing prices, and prices made for this once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.currencies import MAXIMUM_MINOR, minimum_minor, price_text
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.resources import prices, products
from gatekeeper.sandbox.stripe.state import Call, new_id

_MOST_ITEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Basket:
    """The items as they were asked for, checked, and what they come to."""

    items: Sequence[Json]
    currency: str
    total_minor: int


def read_basket(call: Call, items: Sequence[Json], *, currency: str | None) -> Basket:
    """Check what is to be bought, and add it up. Nothing is made yet.

    Raises StripeError (400): unknown, inactive, recurring or mixed prices, and totals that are too
    small or too large to be charged.
    """
    if len(items) > _MOST_ITEMS:
        raise invalid_request(
            f"A maximum of {_MOST_ITEMS} line items are allowed in `payment` mode.",
            param="line_items",
        )
    found = [_price_of(call, item, f"line_items[{place}]") for place, item in enumerate(items)]
    currencies = {price["currency"] for price in found} | ({currency} if currency else set())
    if len(currencies) > 1:
        raise invalid_request(
            "All line items of a Checkout Session must have the same currency.",
            param="currency" if currency else "line_items",
        )
    pairs = zip(found, items, strict=True)
    total_minor = sum(price["unit_amount"] * item["quantity"] for price, item in pairs)
    basket = Basket(items, currencies.pop(), total_minor)
    _check_total(basket)
    return basket


def _price_of(call: Call, item: Json, name: str) -> Json:
    """Return the price of an item, or what one is to be made of."""
    if ("price" in item) == ("price_data" in item):
        raise invalid_request(
            "You must specify exactly one of these parameters: price, price_data.", param=name
        )
    if "price" in item:
        return _existing_price(call, item["price"], f"{name}[price]")
    data: Json = item["price_data"]
    if ("product" in data) == ("product_data" in data):
        raise invalid_request(
            "You must specify exactly one of these parameters: product, product_data.",
            param=f"{name}[price_data]",
        )
    if "product" in data:
        call.state.find("product", data["product"], param=f"{name}[price_data][product]")
    return data


def _existing_price(call: Call, id_: str, name: str) -> Json:
    price = call.state.find("price", id_, param=name)
    if not price["active"]:
        raise invalid_request(
            "The price specified is inactive. This field only accepts active prices.", param=name
        )
    if price["recurring"] is not None:
        raise invalid_request(
            "You specified `payment` mode but passed a recurring price. Either switch to "
            "`subscription` mode or use only one-time prices.",
            param=name,
        )
    return price


def _check_total(basket: Basket) -> None:
    minimum, currency = minimum_minor(basket.currency), basket.currency
    if basket.total_minor < minimum:
        raise invalid_request(
            "The Checkout Session's total amount due must add up to at least "
            f"{price_text(minimum, currency)} {currency}",
            code="amount_too_small",
        )
    if basket.total_minor > MAXIMUM_MINOR:
        raise invalid_request(
            "The Checkout Session's total amount due must be no more than "
            f"{price_text(MAXIMUM_MINOR, currency)}",
            code="amount_too_large",
        )


def make_line_items(call: Call, basket: Basket) -> list[Json]:
    """Make the line items, with the products and prices that were given inline."""
    return [_line_item(call, item) for item in basket.items]


def _line_item(call: Call, item: Json) -> Json:
    if "price" in item:
        price = call.state.objects["price"][item["price"]]
    else:
        price = _make_price(call, item["price_data"])
    amount_minor = price["unit_amount"] * item["quantity"]
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount_minor,
        "amount_tax": 0,
        "amount_total": amount_minor,
        "currency": price["currency"],
        "description": call.state.objects["product"][price["product"]]["name"],
        "metadata": params.merge_metadata({}, item.get("metadata", {})),
        "price": price,
        "quantity": item["quantity"],
    }


def _make_price(call: Call, data: Json) -> Json:
    product = data.get("product")
    if product is None:
        product = products.create(replace(call, params=data["product_data"]))["id"]
    # A price made for one session can't be used again.
    values = {**data, "product": product, "active": False}
    return prices.create(replace(call, params=values))
