"""What time it is for a customer's subscriptions.

A customer may be on a test clock (https://docs.stripe.com/billing/testing/test-clocks); all others
share the sandbox's own clock, which shows the real time until it is moved, and then stands still
between two moves. Payments that no subscription makes, and the signatures of webhooks, keep to the
real time.
"""

from typing import Final

from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call, State

TEST_CLOCK: Final = "test_helpers.test_clock"


def follow_clock(call: Call, body: Json) -> None:
    """Let a call happen when it is now for a customer, a subscription or an invoice."""
    clock = body["test_clock"]
    if clock is None:
        call.clock_s = call.state.clock_s
    else:
        call.clock_s = call.state.objects[TEST_CLOCK][clock]["frozen_time"]


def customers_on(state: State, clock: str | None) -> set[str]:
    """Return the customers on a test clock, or on the sandbox's own."""
    return {
        customer["id"]
        for customer in state.all("customer")
        if not customer.get("deleted") and customer["test_clock"] == clock
    }
