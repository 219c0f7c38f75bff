"""Receipts, which Stripe keeps."""

from __future__ import annotations

from urllib.parse import urlsplit

from stripe import Charge, StripeClient


def fetch_receipt_url(stripe_api: StripeClient, payment_intent: str) -> str | None:
    """Ask for the page with a payment's receipt; None when it was never paid.

    Asked for when somebody wants to see it: these addresses stop working after a while.
    https://docs.stripe.com/api/charges/object#charge_object-receipt_url

    Raises stripe.StripeError.
    """
    found = stripe_api.v1.payment_intents.retrieve(payment_intent, {"expand": ["latest_charge"]})
    charge = found.latest_charge
    url = charge.receipt_url if isinstance(charge, Charge) else None
    return url if url and urlsplit(url).scheme in ("https", "http") else None
