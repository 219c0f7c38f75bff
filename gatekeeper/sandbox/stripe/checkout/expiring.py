"""The end of a Checkout Session that nobody paid.

A session is made at the real time. It expires when that has passed its `expires_at`, which is
noticed when somebody looks, or when the clock that its customer lives by is moved past it.

Source: https://docs.stripe.com/payments/checkout/managing-limited-inventory.
"""

from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.resources import payment_intents, setup_intents
from gatekeeper.sandbox.stripe.state import Call


def expire(call: Call, session: Json) -> Json:
    """Close an open session; its intent, if it has one, is canceled.

    Raises StripeError (400) when the session isn't open.
    """
    if session["status"] != "open":
        raise invalid_request(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`."
        )
    if session["payment_intent"] is not None:
        intent = call.state.objects["payment_intent"][session["payment_intent"]]
        payment_intents.mark_canceled(call, intent, "expired")
    if session["setup_intent"] is not None:
        setup_intents.cancel(call, call.state.objects["setup_intent"][session["setup_intent"]])
    session |= {"status": "expired", "url": None}
    call.emit("checkout.session.expired", session)
    return session


def expire_if_due(call: Call, session: Json) -> Json:
    """Close a session whose time is up, and return it either way."""
    if session["status"] == "open" and session["expires_at"] <= call.now_s():
        return expire(call, session)
    return session
