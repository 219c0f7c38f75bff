"""Visits to Stripe Checkout: to buy credits, or to save a card."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckoutMode(StrEnum):
    """What a person went to Checkout for."""

    PAYMENT = "payment"  # a purchase of credits
    SETUP = "setup"  # a card to charge top-offs to


class CheckoutState(StrEnum):
    """Where a visit stands. One that comes to nothing leaves no record."""

    OPEN = "open"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Checkout:
    """One visit. Amounts are minor units of `currency`.

    `credits`, `amount_minor` and `currency` are of a purchase, and 0 and "" for a card. The id of
    the Checkout Session or of the PaymentIntent is "" while it is not known; `started_at_ms` is
    None where only Stripe's news told of it. `card_last4` and `receipt_url` come with success.
    """

    id: str
    account_id: str
    mode: CheckoutMode
    state: CheckoutState
    session: str
    customer: str
    credits: int
    amount_minor: int
    currency: str
    payment_intent: str
    card_last4: str
    receipt_url: str
    started_at_ms: int | None
    finished_at_ms: int | None
