"""A stand-in for Stripe that the unmodified stripe library talks to over HTTP.

It knows customers, payment methods (Stripe's test cards), SetupIntents, PaymentIntents, charges,
refunds, disputes, Checkout with its pages, subscriptions with their invoices and clocks, events and
webhooks, keeps idempotency keys the way Stripe does, and can be told over HTTP to fail in every way
that a network and a payment provider can. See `control` for that interface, and `client` for a
Python client of it; `pay_checkout` is a person at a Checkout page.
"""

from gatekeeper.sandbox.stripe.checkout.driver import Visit, pay_checkout
from gatekeeper.sandbox.stripe.client import SandboxControl
from gatekeeper.sandbox.stripe.declines import ADVICE_CODES, DECLINE_CODES
from gatekeeper.sandbox.stripe.server import SandboxStripe

__all__ = [
    "ADVICE_CODES",
    "DECLINE_CODES",
    "SandboxControl",
    "SandboxStripe",
    "Visit",
    "pay_checkout",
]
