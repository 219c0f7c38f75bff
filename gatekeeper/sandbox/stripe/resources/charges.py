"""Charges, the attempts of a PaymentIntent: https://docs.stripe.com/api/charges."""

from copy import deepcopy
from http import HTTPStatus
from typing import Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.declines import Decline
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id


def new_charge(call: Call, intent: Json, payment_method: Json) -> Json:
    """Make the pending charge of an attempt to pay."""
    id_ = new_id("ch")
    body: Json = {
        "id": id_,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": deepcopy(payment_method["billing_details"]),
        "calculated_statement_descriptor": "Stripe",
        "captured": False,
        "created": call.now_s(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": payment_method["id"],
        "payment_method_details": _details(payment_method, intent["amount"]),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }
    return call.state.add(body)


def _details(payment_method: Json, amount_minor: int) -> Json:
    card = payment_method["card"]
    kept = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {
        "card": {
            **{name: card[name] for name in kept},
            "amount_authorized": amount_minor,
            "authorization_code": None,
            "checks": {**card["checks"], "cvc_check": "pass"},
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": card["brand"],
            "network_token": {"used": False},
            "overcapture": {"maximum_amount_capturable": amount_minor, "status": "unavailable"},
            "regulated_status": "unregulated",
            "three_d_secure": None,
            "wallet": None,
        },
        "type": "card",
    }


def mark_succeeded(call: Call, body: Json) -> None:
    """Let a pending charge succeed."""
    body |= {
        "amount_captured": body["amount"],
        "captured": True,
        "outcome": _outcome("approved_by_network", "Payment complete.", "authorized"),
        "paid": True,
        "receipt_url": f"{call.state.origin}/receipts/payment/{body['id']}",
        "status": "succeeded",
    }
    call.emit("charge.succeeded", body)


def mark_failed(call: Call, body: Json, reason: Decline) -> None:
    """Let a pending charge fail."""
    body |= {
        "failure_code": reason.code,
        "failure_message": reason.message,
        "outcome": _refusal(reason),
        "status": "failed",
    }
    call.emit("charge.failed", body)


def _refusal(reason: Decline) -> Json:
    if reason.blocked:
        message = "Stripe blocked this payment as too risky."
        blocked = _outcome("not_sent_to_network", message, "blocked", reason="highest_risk_level")
        return {**blocked, "risk_level": "highest"}
    code = reason.decline_code or reason.code
    message = (
        "The bank did not return any further details with this decline."
        if code == "generic_decline"
        else f"The bank returned the decline code `{code}`."
    )
    declined = _outcome("declined_by_network", message, "issuer_declined", reason=code)
    return {**declined, "advice_code": reason.advice_code}


def _outcome(status: str, message: str, type_: str, reason: str | None = None) -> Json:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": status,
        "reason": reason,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": message,
        "type": type_,
    }


def retrieve(call: Call) -> Json:
    """Return a charge."""
    return call.state.find(
        "charge", call.args["charge"], param="charge", status=HTTPStatus.NOT_FOUND
    )


def list_all(call: Call) -> Json:
    """List charges."""
    keep = having(call, "customer", "payment_intent")
    return page(call, "charge", "/v1/charges", keep=keep)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/charges",
        list_all,
        params.list_fields(
            {
                "customer": params.identifier,
                "payment_intent": params.identifier,
                "created": params.time_range,
            }
        ),
        "charge",
        listing=True,
    ),
    Route("GET", "/v1/charges/{charge}", retrieve, params.fields({}), "charge"),
)
