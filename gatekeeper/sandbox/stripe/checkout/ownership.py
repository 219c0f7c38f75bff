"""Which Checkout Session a PaymentIntent or SetupIntent belongs to."""

from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.state import State


def session_of(state: State, intent: Json) -> Json | None:
    """Return the Checkout Session that made an intent, if one did."""
    return next(
        (
            session
            for session in state.all("checkout.session")
            if session[intent["object"]] == intent["id"]
        ),
        None,
    )


def refuse_checkouts(state: State, payment_intent: Json) -> None:
    """Refuse to confirm or cancel what only Checkout may. Raises StripeError (400)."""
    if session_of(state, payment_intent) is not None:
        raise invalid_request(
            "You cannot perform this action on PaymentIntents created by Checkout. To cancel, "
            "expire the Checkout Session instead."
        )
