"""Saved cards, as Stripe has them."""

from __future__ import annotations

import stripe
from stripe import StripeClient

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
    card = found.card if found.type == "card" else None
    if card is None:
        raise CardNotUsable(f"{payment_method} is not a card")
    owner = found.customer if isinstance(found.customer, str) else None
    if owner != customer:
        raise CardNotUsable(f"{payment_method} is not attached to customer {customer}")
    return Card(
        customer=customer,
        payment_method=found.id,
        brand=card.brand,
        last4=card.last4,
        expiry=f"{card.exp_month:02d}/{card.exp_year}",
    )
