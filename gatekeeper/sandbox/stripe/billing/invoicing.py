"""The way of an invoice: drafted, finalized, then paid or given up.

Source: https://docs.stripe.com/billing/invoices/subscription. Payment is asked for with a
PaymentIntent, whose events are the same as for any other payment. There are no retries besides
those asked for through the API.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

from gatekeeper.sandbox.stripe.billing.invoice_bodies import (
    BillingReason,
    new_invoice,
    new_payment,
    subscription_of,
)
from gatekeeper.sandbox.stripe.charging import confirm
from gatekeeper.sandbox.stripe.errors import Json, StripeError, invalid_request
from gatekeeper.sandbox.stripe.resources import payment_intents
from gatekeeper.sandbox.stripe.state import Call, State

# How long a draft made by a new period waits before it is finalized.
DRAFT_FOR_S: Final = 60 * 60


def draft(
    call: Call,
    subscription: Json,
    lines: Sequence[Json],
    *,
    reason: BillingReason,
    period: Json,
    finalizes_at_s: int | None = None,
) -> Json:
    """Make an invoice of these lines and of those that waited for it; `period` has passed."""
    notes = call.state.notes[subscription["id"]]
    lines = [*lines, *notes.pending_lines]
    notes.pending_lines = []
    invoice = new_invoice(call, subscription, lines, reason=reason, period=period)
    if finalizes_at_s is not None:
        invoice |= {"auto_advance": True, "automatically_finalizes_at": finalizes_at_s}
    subscription["latest_invoice"] = invoice["id"]
    call.emit("invoice.created", invoice)
    return call.state.add(invoice)


def finalize(call: Call, invoice: Json) -> None:
    """Make a draft final; the customer's credit balance is used up first."""
    customer = call.state.objects["customer"][invoice["customer"]]
    due_minor = invoice["total"] + customer["balance"]
    number = customer["next_invoice_sequence"]
    invoice |= {
        "amount_due": max(due_minor, 0),
        "amount_remaining": max(due_minor, 0),
        "automatically_finalizes_at": None,
        "effective_at": call.now_s(),
        "ending_balance": min(due_minor, 0),
        "number": f"{customer['invoice_prefix']}-{number:04}",
        "starting_balance": customer["balance"],
        "status": "open",
    }
    invoice["status_transitions"]["finalized_at"] = call.now_s()
    call.emit("invoice.finalized", invoice)
    customer["next_invoice_sequence"] = number + 1
    _update_customer(call, invoice, balance=min(due_minor, 0))


def _update_customer(call: Call, invoice: Json, **changes: Any) -> None:
    customer = call.state.objects["customer"][invoice["customer"]]
    before = deepcopy(customer)
    customer.update(changes)
    call.emit_update("customer.updated", before, customer)


def payment_method_for(state: State, subscription: Json) -> str | None:
    """Return what a subscription is paid with: its own payment method or the customer's default."""
    customer = state.objects["customer"][subscription["customer"]]
    id_: str | None = (
        subscription["default_payment_method"]
        or customer["invoice_settings"]["default_payment_method"]
    )
    return id_


def collect(call: Call, invoice: Json, payment_method: str | None = None) -> StripeError | None:
    """Try to have an open invoice paid, and return why it was refused if it was."""
    if invoice["amount_remaining"] == 0:
        _mark_paid(call, invoice)
        return None
    subscription = call.state.objects["subscription"][subscription_of(invoice)]
    payment_method = payment_method or payment_method_for(call.state, subscription)
    intent = _intent_for(call, invoice)
    invoice |= {"attempt_count": invoice["attempt_count"] + 1, "attempted": True}
    refusal = _charge(call, intent, payment_method)
    settle(call, invoice, intent)
    return refusal


def _intent_for(call: Call, invoice: Json) -> Json:
    payment = _payment_of(call.state, invoice)
    if payment is not None:
        id_ = payment["payment"]["payment_intent"]
        return call.state.objects["payment_intent"][id_]
    values = {
        "allowed_payment_method_types": ["card"],
        "amount": invoice["amount_due"],
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "description": f"Payment for invoice {invoice['number']}",
        "setup_future_usage": "off_session",
    }
    intent = call.state.add(payment_intents.new_intent(call, values))
    call.state.add(new_payment(call, invoice, intent))
    call.emit("payment_intent.created", intent)
    return intent


def _payment_of(state: State, invoice: Json) -> Json | None:
    payments = state.all("invoice_payment")
    return next((each for each in payments if each["invoice"] == invoice["id"]), None)


def invoice_paid_with(state: State, intent: Json) -> Json | None:
    """Return the invoice that a PaymentIntent is for, if any."""
    for payment in state.all("invoice_payment"):
        if payment["payment"]["payment_intent"] == intent["id"]:
            return state.objects["invoice"][payment["invoice"]]
    return None


def _charge(call: Call, intent: Json, payment_method: str | None) -> StripeError | None:
    if payment_method is None:
        return invalid_request(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method.",
            code="resource_missing",
        )
    attempt = replace(call, params={"off_session": True, "payment_method": payment_method})
    try:
        confirm(attempt, intent)
    except StripeError as refusal:
        return refusal
    return None


def settle(call: Call, invoice: Json, intent: Json) -> None:
    """Let an invoice follow its PaymentIntent; one that is being processed changes nothing."""
    if intent["status"] == "succeeded":
        _mark_paid(call, invoice)
    elif intent["status"] != "processing":
        call.emit("invoice.payment_failed", invoice)
        _update_customer(call, invoice, delinquent=True)


def is_processing(state: State, invoice: Json) -> bool:
    """Tell whether the payment of an invoice has neither succeeded nor failed."""
    payment = _payment_of(state, invoice)
    if payment is None:
        return False
    intent = state.objects["payment_intent"][payment["payment"]["payment_intent"]]
    return bool(intent["status"] == "processing")


def is_waiting(state: State, invoice: Json) -> bool:
    """Tell whether somebody must still do something for an invoice to be paid."""
    return bool(invoice["status"] == "open" and not is_processing(state, invoice))


def _mark_paid(call: Call, invoice: Json) -> None:
    invoice |= {
        "amount_paid": invoice["amount_due"],
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "status": "paid",
    }
    invoice["status_transitions"]["paid_at"] = call.now_s()
    payment = _payment_of(call.state, invoice)
    if payment is not None:
        payment |= {"amount_paid": invoice["amount_due"], "status": "paid"}
        payment["status_transitions"]["paid_at"] = call.now_s()
        call.emit("invoice_payment.paid", payment)
    call.emit("invoice.paid", invoice)
    call.emit("invoice.payment_succeeded", invoice)
    _update_customer(call, invoice, delinquent=False)


def void(call: Call, invoice: Json) -> None:
    """Give an open invoice up as if it had never been, and cancel its payment."""
    invoice |= {"auto_advance": False, "status": "void"}
    invoice["status_transitions"]["voided_at"] = call.now_s()
    payment = _payment_of(call.state, invoice)
    if payment is not None:
        payment |= {"status": "canceled"}
        payment["status_transitions"]["canceled_at"] = call.now_s()
        intent = payment["payment"]["payment_intent"]
        payment_intents.cancel(replace(call, args={"intent": intent}, params={}))
    call.emit("invoice.voided", invoice)


def mark_uncollectible(call: Call, invoice: Json) -> None:
    """Write an open invoice off."""
    invoice |= {"auto_advance": False, "status": "uncollectible"}
    invoice["status_transitions"]["marked_uncollectible_at"] = call.now_s()
    call.emit("invoice.marked_uncollectible", invoice)


def stop_drafts(state: State, subscription: Json) -> None:
    """Leave the drafts of a subscription as they are for good."""
    for invoice in state.all("invoice"):
        if subscription_of(invoice) == subscription["id"] and invoice["status"] == "draft":
            invoice |= {"auto_advance": False, "automatically_finalizes_at": None}
