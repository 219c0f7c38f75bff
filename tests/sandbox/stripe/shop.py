"""What the tests do again and again with the stripe library."""

from typing import Any

import stripe

SECRET = "whsec_for_the_tests"
KEY = "sk_test_for_the_tests"


def connect(
    base_url: str, *, key: str = KEY, retries: int = 0, timeout_s: float = 10
) -> stripe.StripeClient:
    """Point the stripe library at a sandbox."""
    return stripe.StripeClient(
        key,
        base_addresses={"api": base_url},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=timeout_s),
    )


def create_intent(
    client: stripe.StripeClient, customer: str | None, *, key: str | None = None, **params: Any
) -> stripe.PaymentIntent:
    """Create an unconfirmed PaymentIntent of 20 dollars, unless the parameters say otherwise."""
    values: Any = {
        "customer": customer,
        "amount": 2000,
        "currency": "usd",
        "allowed_payment_method_types": ["card"],
        **params,
    }
    return client.v1.payment_intents.create(
        params=values, options={"idempotency_key": key} if key else {}
    )


def confirm(
    client: stripe.StripeClient, intent: str, card: str, *, key: str | None = None, **params: Any
) -> stripe.PaymentIntent:
    """Charge a card off-session."""
    values: Any = {"payment_method": card, "off_session": True, **params}
    return client.v1.payment_intents.confirm(
        intent,
        params=values,
        options={"idempotency_key": key} if key else {},
    )


def headers_of(answer: stripe.StripeObject) -> dict[str, str]:
    """Return the HTTP headers of an answer, with their names in lower case."""
    response = answer.last_response
    assert response is not None
    return {name.lower(): value for name, value in response.headers.items()}


def event_types(client: stripe.StripeClient) -> list[str]:
    """Return the types of all events, oldest first."""
    events = client.v1.events.list(params={"limit": 100})
    return [event.type for event in reversed(events.data)]


def last_event(client: stripe.StripeClient, type_: str) -> dict[str, Any]:
    """Return the newest event of a type: its object, and what was before."""
    event = client.v1.events.list(params={"type": type_}).data[0]
    data: dict[str, Any] = event.to_dict()["data"]
    return data
