"""Saved cards, as Stripe has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import stripe
from stripe import StripeClient
from stripe.params import CustomerUpdateParams

from gatekeeper.domain.account import Card


class CardNotUsable(ValueError):
    """The payment method cannot be charged for this customer; the message says why in one line."""


def fetch_card(stripe_api: StripeClient, customer: str, payment_method: str) -> Card:
    """Read a customer's card.

    Raises CardNotUsable when there is no such payment method, or it is not a card, or not attached
    to this customer; stripe.StripeError when Stripe cannot be asked.
    """
    if not payment_method or not customer:
        raise CardNotUsable("a customer and a payment method are needed")
    try:
        found = stripe_api.v1.payment_methods.retrieve(payment_method)
    except stripe.InvalidRequestError as error:
        if error.error is None or error.error.code != "resource_missing":
            raise
        raise CardNotUsable(f"there is no payment method {payment_method}") from None
    return read_card(found.to_dict(), customer)


def read_card(fields: Mapping[str, Any], customer: str) -> Card:
    """Read the JSON of a customer's payment method.

    Raises CardNotUsable when it is not a card, or not attached to this customer.
    """
    payment_method, card = fields["id"], fields.get("card")
    if fields["type"] != "card" or not card:
        raise CardNotUsable(f"{payment_method} is not a card")
    if fields["customer"] != customer:
        raise CardNotUsable(f"{payment_method} is not attached to customer {customer}")
    return Card(
        customer=customer,
        payment_method=payment_method,
        brand=card["brand"],
        last4=card["last4"],
        expiry=f"{card['exp_month']:02d}/{card['exp_year']}",
    )


def make_default(stripe_api: StripeClient, card: Card) -> bool:
    """Make a card its customer's default at Stripe; False when one of them is gone.

    Nothing here depends on the default: charges name their card. It is for the people who look
    there. Raises stripe.StripeError.
    """
    settings: CustomerUpdateParams = {
        "invoice_settings": {"default_payment_method": card.payment_method}
    }
    try:
        stripe_api.v1.customers.update(card.customer, settings)
    except stripe.InvalidRequestError:
        return False
    return True


def detach_card(stripe_api: StripeClient, card: Card) -> None:
    """Detach a card from its customer at Stripe, for good; done before is done.

    Raises stripe.StripeError.
    """
    try:
        stripe_api.v1.payment_methods.detach(card.payment_method)
    except stripe.InvalidRequestError:
        if _is_attached(stripe_api, card):
            raise


def _is_attached(stripe_api: StripeClient, card: Card) -> bool:
    try:
        fetch_card(stripe_api, card.customer, card.payment_method)
    except CardNotUsable:
        return False
    return True
