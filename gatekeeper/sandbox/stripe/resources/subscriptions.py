"""Subscriptions of one price, charged automatically: https://docs.stripe.com/api/subscriptions."""

from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.billing import lifecycle, plan_changes, subscription_params
from gatekeeper.sandbox.stripe.billing.clocks import follow_clock
from gatekeeper.sandbox.stripe.billing.cycles import credit_line
from gatekeeper.sandbox.stripe.billing.subscription_bodies import (
    item_of,
    new_subscription,
    period_of,
)
from gatekeeper.sandbox.stripe.errors import Json, invalid_request, missing
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.resources.payment_methods import resolve
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, SubscriptionNotes


def create(call: Call) -> Json:
    """Create a subscription and have its first period paid; a decline leaves it incomplete.

    Raises StripeError (400) when there is nothing to pay with and something to be paid.
    """
    values: dict[str, Any] = call.params
    customer = call.state.find("customer", values["customer"], param="customer")
    follow_clock(call, customer)
    price = subscription_params.first_price(call)
    trial_end_s, anchor_s = subscription_params.start_of(call, price)
    subscription_params.check_end(call)
    body = new_subscription(call, customer, price)
    _write(call, body)
    prorated = values.get("proration_behavior") != "none"
    if trial_end_s is None and (anchor_s is None or prorated):
        lifecycle.check_payable(call.state, body)
    call.state.add(body)
    call.state.notes[body["id"]] = SubscriptionNotes()
    if trial_end_s is not None:
        lifecycle.begin_trial(call, body, trial_end_s)
    elif anchor_s is not None:
        lifecycle.begin_until(call, body, anchor_s, prorated=prorated)
    else:
        lifecycle.begin(call, body)
    _plan_end(call, body)
    call.emit("customer.subscription.created", body)
    if trial_end_s is not None and trial_end_s - call.now_s() <= lifecycle.TRIAL_WARNING_S:
        lifecycle.announce_trial_end(call, body)
    return body


def _write(call: Call, body: Json) -> None:
    values: dict[str, Any] = call.params
    if "default_payment_method" in values:
        payment_method = resolve(call, values["default_payment_method"])
        if payment_method["customer"] != body["customer"]:
            raise invalid_request(
                "The customer does not have a payment method with the ID "
                f"{payment_method['id']}. The payment method must be attached to the customer.",
                code="resource_missing",
                param="default_payment_method",
            )
    body["metadata"] = params.merge_metadata(body["metadata"], values.get("metadata", {}))
    for name in ("default_payment_method", "description", "trial_settings"):
        if name in values:
            body[name] = values[name]
    if "pause_collection" in values:
        paused = values["pause_collection"]
        body["pause_collection"] = {"resumes_at": None, **paused} if paused else None


def _plan_end(call: Call, body: Json) -> None:
    """Let a subscription end with its period, or not after all.

    Both parameters say so for the same moment. `cancel_at` alone leaves `cancel_at_period_end`
    false, and so does the customer portal in the flexible billing mode. Source: https://
    docs.stripe.com/billing/subscriptions/billing-mode/compare#scheduled-subscription-cancellation.
    """
    values: dict[str, Any] = call.params
    if "cancel_at" in values or "cancel_at_period_end" in values:
        ends = bool(values.get("cancel_at") or values.get("cancel_at_period_end"))
        body["cancel_at_period_end"] = bool(values.get("cancel_at_period_end"))
        body["canceled_at"] = call.now_s() if ends else None
        body["cancellation_details"]["reason"] = "cancellation_requested" if ends else None
        body["cancel_at"] = period_of(body)["end"] if ends else None
    elif body["cancel_at_period_end"]:
        body["cancel_at"] = period_of(body)["end"]


def update(call: Call) -> Json:
    """Change a subscription; what there is to pay for it at once is collected."""
    body = retrieve(call)
    follow_clock(call, body)
    subscription_params.check_changes(call, body)
    subscription_params.check_end(call)
    price = subscription_params.price_after(call, body)
    with lifecycle.changing(call, body):
        _write(call, body)
        invoice = _change_plan(call, body, price)
        _plan_end(call, body)
    if invoice is not None:
        lifecycle.collect(call, invoice)
    return body


def _change_plan(call: Call, body: Json, price: Json) -> Json | None:
    """Change price, anchor and trial as asked; return the invoice to be paid at once, if any."""
    behavior = call.params.get("proration_behavior", "create_prorations")
    if subscription_params.restarts(call):
        return plan_changes.restart_cycle(call, body, price, behavior)
    invoice = None
    if price["id"] != item_of(body)["price"]["id"]:
        invoice = plan_changes.change_price(call, body, price, behavior)
    if "trial_end" in call.params:
        invoice = plan_changes.end_trial(call, body)
    return invoice


def cancel(call: Call) -> Json:
    """Cancel a subscription at once, without giving anything back."""
    body = retrieve(call)
    if body["status"] in lifecycle.ENDED:
        raise missing("subscription", body["id"], param="id", status=HTTPStatus.NOT_FOUND)
    follow_clock(call, body)
    lifecycle.cancel(call, body, "cancellation_requested")
    return body


def pause(call: Call) -> Json:
    """Pause a subscription at once; the rest of its period is credited on the next invoice."""
    body = retrieve(call)
    follow_clock(call, body)
    invoice = call.state.objects["invoice"].get(body["latest_invoice"] or "")
    settled = invoice is None or invoice["status"] == "paid"
    if body["status"] != "active" or body["cancel_at"] is not None or not settled:
        raise invalid_request(
            "Only an active subscription can be paused that isn't about to be canceled and whose "
            "latest invoice is paid."
        )
    call.state.notes[body["id"]].pending_lines.append(credit_line(body, call.now_s()))
    lifecycle.pause(call, body, "pause_requested")
    return body


def resume(call: Call) -> Json:
    """Begin a new period after a pause; the pause ends with its payment."""
    body = retrieve(call)
    follow_clock(call, body)
    invoice = lifecycle.latest_invoice(call.state, body)
    if body["status"] != "paused" or (invoice is not None and invoice["status"] == "open"):
        raise invalid_request(
            "Only a paused subscription can be resumed that isn't being resumed already."
        )
    behavior = call.params.get("payment_behavior", "resume_on_payment_attempt")
    lifecycle.resume(call, body, on_attempt=behavior == "resume_on_payment_attempt")
    return body


def retrieve(call: Call) -> Json:
    """Return a subscription."""
    return call.state.find(
        "subscription", call.args["subscription"], param="id", status=HTTPStatus.NOT_FOUND
    )


def list_all(call: Call) -> Json:
    """List subscriptions; those that are canceled only when asked for."""
    status, price = call.params.get("status"), call.params.get("price")
    of_customer = having(call, "customer")

    def keep(body: Json) -> bool:
        shown = body["status"] != "canceled" if status is None else status == body["status"]
        fits = price in (None, item_of(body)["price"]["id"])
        return of_customer(body) and (shown or status == "all") and fits

    return page(call, "subscription", "/v1/subscriptions", keep=keep)


_ONE: Final = "/v1/subscriptions/{subscription}"
_KIND: Final = "subscription"

ROUTES: Final = (
    Route("POST", "/v1/subscriptions", create, subscription_params.CREATE, _KIND),
    Route("GET", "/v1/subscriptions", list_all, subscription_params.LIST, _KIND, listing=True),
    Route("GET", _ONE, retrieve, params.fields({}), _KIND),
    Route("POST", _ONE, update, subscription_params.UPDATE, _KIND),
    Route("DELETE", _ONE, cancel, params.fields({}), _KIND),
    Route("POST", f"{_ONE}/pause", pause, subscription_params.PAUSE, _KIND),
    Route("POST", f"{_ONE}/resume", resume, subscription_params.RESUME, _KIND),
)
