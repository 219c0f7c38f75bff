"""The two Stripe clients: of those who can wait, and of pages."""

from __future__ import annotations

from collections.abc import Mapping
from threading import BoundedSemaphore
from typing import Any, Final

import stripe
from stripe import StripeClient

#: A declined card takes its issuer up to about 10 s; Stripe itself answers in far less.
CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 20.0
#: Under the same idempotency key, so a repetition charges nothing twice. 0 is StripeClient's own
#: default; 429 is repeated only where Stripe asks for it.
MAX_NETWORK_RETRIES: Final = 2

#: No card is charged while somebody waits for a page. Whoever tries again sends the same form, and
#: so the same idempotency key.
PAGE_CONNECT_TIMEOUT_S: Final = 2.0
PAGE_READ_TIMEOUT_S: Final = 5.0
_TURN_TIMEOUT_S: Final = 0.5


def stripe_client(secret_key: str, api_base: str) -> StripeClient:
    """Make a client of the API at `api_base`. Nothing is sent before the first request."""
    return StripeClient(
        secret_key,
        base_addresses={"api": api_base.rstrip("/")},
        max_network_retries=MAX_NETWORK_RETRIES,
        http_client=stripe.RequestsClient(timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)),
    )


def stripe_client_for_pages(secret_key: str, api_base: str) -> StripeClient:
    """Make a client for requests that a person waits for, and a thread of the web server.

    It gives up soon, repeats nothing, and sends one request at a time: while Stripe hangs, a second
    one raises stripe.APIConnectionError almost at once, and the other threads serve other pages.
    """
    return StripeClient(
        secret_key,
        base_addresses={"api": api_base.rstrip("/")},
        max_network_retries=0,
        http_client=_OneAtATime(timeout=(PAGE_CONNECT_TIMEOUT_S, PAGE_READ_TIMEOUT_S)),
    )


class _OneAtATime(stripe.RequestsClient):
    def __init__(self, *, timeout: tuple[float, float]) -> None:
        super().__init__(timeout=timeout)
        self._turn = BoundedSemaphore(1)

    def request(  # type: ignore[override]  # as RequestsClient has it
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        if not self._turn.acquire(timeout=_TURN_TIMEOUT_S):
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]  # no types
                "another request waits for Stripe", should_retry=False
            )
        try:
            return super().request(method, url, headers, post_data)
        finally:
            self._turn.release()
