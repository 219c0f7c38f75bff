"""The Stripe client that every part shares."""

from __future__ import annotations

from typing import Final

import stripe
from stripe import StripeClient

#: A declined card takes its issuer up to about 10 s; Stripe itself answers in far less.
CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 20.0
#: Under the same idempotency key, so a repetition charges nothing twice. 0 is StripeClient's own
#: default; 429 is repeated only where Stripe asks for it.
MAX_NETWORK_RETRIES: Final = 2


def stripe_client(secret_key: str, api_base: str) -> StripeClient:
    """Make a client of the API at `api_base`. Nothing is sent before the first request."""
    return StripeClient(
        secret_key,
        base_addresses={"api": api_base.rstrip("/")},
        max_network_retries=MAX_NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)),
    )
