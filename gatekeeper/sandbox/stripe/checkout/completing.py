"""What happens when a person pays, or saves a card, on the page of a Checkout Session.

The caller holds the state's lock from the look at the session's status to its change, so a session
is completed at most once. Sources: https://docs.stripe.com/payments/checkout/how-checkout-works and
https://docs.stripe.com/payments/checkout/save-during-payment.
"""

from dataclasses import replace

from gatekeeper.sandbox.stripe import charging
from gatekeeper.sandbox.stripe.card_details import card_by_details
from gatekeeper.sandbox.stripe.checkout.forms import Submission
from gatekeeper.sandbox.stripe.checkout.ownership import session_of
from gatekeeper.sandbox.stripe.checkout.session_bodies import customer_details
from gatekeeper.sandbox.stripe.checkout.session_params import is_email, offers_saving
from gatekeeper.sandbox.stripe.declines import decline
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.resources import customers, payment_intents, setup_intents
from gatekeeper.sandbox.stripe.resources.payment_methods import new_payment_method
from gatekeeper.sandbox.stripe.state import Call


def known_email(call: Call, session: Json) -> str | None:
    """Return the e-mail address that the page shows and doesn't ask for, if there is one."""
    if session["customer"] is None:
        email = session["customer_email"]
    else:
        email = call.state.objects["customer"][session["customer"]].get("email")
    return email if email and is_email(email) else None


def submit(call: Call, session: Json, submission: Submission) -> None:
    """Try to complete an open session with a card.

    Afterwards it is complete, or waits for a challenge (see `is_challenged`).

    Raises StripeError: 402 when the card is declined or its details are wrong, 400 when the
    customer is gone. The session stays open for another try.
    """
    details = submission.card()
    card = card_by_details(details)
    if session["customer"] is not None:
        call.state.find("customer", session["customer"], param="customer")
    _note(call, session, submission)
    payment_method = new_payment_method(call.state, card, details["exp_month"], details["exp_year"])
    payment_method["billing_details"] |= {"email": submission.email, "name": submission.name}
    payment_method["allow_redisplay"] = _allow_redisplay(call, session)
    _make_customer(call, session)
    _confirm(call, session, payment_method)


def _note(call: Call, session: Json, submission: Submission) -> None:
    notes = call.state.checkouts[session["id"]]
    notes.email, notes.name = submission.email, submission.name
    notes.save = submission.save and offers_saving(session)


def _allow_redisplay(call: Call, session: Json) -> str:
    """Say whether later sessions may offer the card again.

    Source: https://support.stripe.com/questions/prefilling-saved-cards-in-checkout.
    """
    notes = call.state.checkouts[session["id"]]
    if notes.save or session["mode"] == "setup":
        return "always"
    return "limited" if notes.intent_data.get("setup_future_usage") else "unspecified"


def _make_customer(call: Call, session: Json) -> None:
    if session["customer"] is not None or session["customer_creation"] != "always":
        return
    notes = call.state.checkouts[session["id"]]
    made = customers.create(replace(call, params={"email": notes.email, "name": notes.name}))
    session["customer"] = made["id"]


def _confirm(call: Call, session: Json, payment_method: Json) -> None:
    given = {"payment_method": payment_method["id"], "return_url": session["url"]}
    attempt = replace(call, params=given)
    if session["mode"] == "setup":
        intent = intent_of(call, session)
        intent["customer"] = session["customer"]
        setup_intents.confirm(attempt, intent)
    else:
        intent = _payment_intent(call, session)
        charging.confirm(attempt, intent)
    follow(call, intent)


def _payment_intent(call: Call, session: Json) -> Json:
    """Return the PaymentIntent, which is made at the first attempt to pay."""
    if session["payment_intent"] is None:
        values = {
            **call.state.checkouts[session["id"]].intent_data,
            "amount": session["amount_total"],
            "currency": session["currency"],
        }
        for name in ("allowed_payment_method_types", "customer"):
            if session[name] is not None:
                values[name] = session[name]
        session["payment_intent"] = payment_intents.create(replace(call, params=values))["id"]
    intent = intent_of(call, session)
    notes = call.state.checkouts[session["id"]]
    ticked = "on_session" if notes.save else None
    intent["setup_future_usage"] = notes.intent_data.get("setup_future_usage") or ticked
    return intent


def intent_of(call: Call, session: Json) -> Json:
    """Return the PaymentIntent of a session that somebody has tried to pay, or its SetupIntent."""
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    body: Json = call.state.objects[kind][session[kind]]
    return body


def is_challenged(call: Call, session: Json) -> bool:
    """Tell whether a session waits for its customer to pass a 3D Secure challenge."""
    if session["mode"] == "payment" and session["payment_intent"] is None:
        return False
    return bool(intent_of(call, session)["status"] == "requires_action")


def last_submission(call: Call, session: Json) -> Submission:
    """Return what was last submitted, but for the card."""
    notes = call.state.checkouts[session["id"]]
    return Submission(email=notes.email or "", name=notes.name or "", save=notes.save)


def authenticate(call: Call, session: Json, *, passed: bool) -> str | None:
    """End the 3D Secure challenge of a session.

    Returns the message for the customer when it wasn't passed, or the card was declined after it.
    Raises StripeError (400) when the session waits for no challenge.
    """
    intent = intent_of(call, session)
    if session["mode"] == "setup":
        setup_intents.settle(call, intent, passed=passed)
        error = intent["last_setup_error"]
    else:
        charging.settle(call, intent, None if passed else decline("authentication_required"))
        error = intent["last_payment_error"]
    follow(call, intent)
    return error["message"] if error else None


def follow(call: Call, intent: Json) -> None:
    """Complete the session, if there is one, whose intent has just succeeded."""
    session = session_of(call.state, intent)
    if session is None or intent["status"] != "succeeded":
        return
    notes = call.state.checkouts[session["id"]]
    _fill_in_email(call, session)
    if session["mode"] == "payment":
        session["payment_status"] = "paid"
    session |= {
        "customer_details": customer_details(notes.email, notes.name),
        "status": "complete",
        "url": None,
    }
    call.emit("checkout.session.completed", session)


def _fill_in_email(call: Call, session: Json) -> None:
    """Give a customer without a valid e-mail address the one from the page."""
    customer = session["customer"]
    if customer is None or known_email(call, session) is not None:
        return
    email = call.state.checkouts[session["id"]].email
    customers.update(replace(call, args={"customer": customer}, params={"email": email}))
