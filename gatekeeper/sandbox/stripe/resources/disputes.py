"""Disputes, by which a customer's bank takes a payment back: https://docs.stripe.com/api/disputes.

They are opened and closed through the control interface, as the API can't. A chargeback takes the
money when it is opened and gives it back if it is won; an inquiry takes nothing.

Source: https://docs.stripe.com/disputes/how-disputes-work.
"""

from http import HTTPStatus
from typing import Final, Literal

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, State, new_id

Outcome = Literal["won", "lost", "warning_closed"]

_RESPOND_WITHIN_S: Final = 7 * 24 * 60 * 60
# Which statuses an outcome can follow.
_OPEN: Final[dict[Outcome, str]] = {
    "won": "needs_response",
    "lost": "needs_response",
    "warning_closed": "warning_needs_response",
}
# While a dispute has one of these, its charge can't be refunded.
_CHARGED_BACK: Final = ("needs_response", "lost")
_EVIDENCE: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def open_dispute(
    call: Call, charge: Json, *, amount_minor: int | None, reason: str, inquiry: bool
) -> Json:
    """Dispute a charge, by default all of it that hasn't been refunded.

    Raises StripeError (400) when the charge has no such amount, or is disputed already.
    """
    left_minor = charge["amount"] - charge["amount_refunded"]
    amount_minor = left_minor if amount_minor is None else amount_minor
    if charge["status"] != "succeeded" or left_minor == 0 or amount_minor > charge["amount"]:
        raise invalid_request(f"Charge {charge['id']} has no such amount to dispute.")
    if charge["disputed"]:
        raise invalid_request(f"Charge {charge['id']} is disputed already.")
    charge["disputed"] = True
    body = call.state.add(_new(call, charge, amount_minor, reason, inquiry=inquiry))
    call.emit("charge.dispute.created", body)
    if not inquiry:
        _move_funds(call, body, "dispute")
        call.emit("charge.dispute.funds_withdrawn", body)
    return body


def close(call: Call, body: Json, outcome: Outcome) -> Json:
    """End a dispute. An inquiry can only be closed, a chargeback only won or lost.

    Raises StripeError (400) when it can't end so.
    """
    if body["status"] != _OPEN[outcome]:
        raise invalid_request(
            f"This dispute can't become {outcome}: its status is {body['status']}."
        )
    body |= {"is_charge_refundable": outcome != "lost", "status": outcome}
    call.emit("charge.dispute.closed", body)
    if outcome == "won":
        _move_funds(call, body, "dispute_reversal")
        call.emit("charge.dispute.funds_reinstated", body)
    return body


def check_not_charged_back(state: State, charge: Json) -> None:
    """Refuse to refund what the bank has taken back. Raises StripeError (400)."""
    for dispute in state.all("dispute"):
        if dispute["charge"] == charge["id"] and dispute["status"] in _CHARGED_BACK:
            raise invalid_request(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.",
                code="charge_disputed",
            )


def _new(call: Call, charge: Json, amount_minor: int, reason: str, *, inquiry: bool) -> Json:
    details = charge["payment_method_details"]["card"]
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount_minor,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now_s(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now_s() + _RESPOND_WITHIN_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": details["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": details["network"],
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def _move_funds(call: Call, body: Json, category: Literal["dispute", "dispute_reversal"]) -> None:
    """Note in a dispute that its money went, or came back; Stripe's fee is left out."""
    withdrawn = category == "dispute"
    amount_minor = -body["amount"] if withdrawn else body["amount"]
    what = "withdrawal" if withdrawn else "reversal"
    body["balance_transactions"].append(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount_minor,
            "available_on": call.now_s(),
            "balance_type": "payments",
            "created": call.now_s(),
            "currency": body["currency"],
            "description": f"Chargeback {what} for {body['charge']}",
            "exchange_rate": None,
            "fee": 0,
            "fee_details": [],
            "net": amount_minor,
            "reporting_category": category,
            "source": body["id"],
            "status": "available",
            "type": "adjustment",
        }
    )


def retrieve(call: Call) -> Json:
    """Return a dispute."""
    return call.state.find("dispute", call.args["dispute"], param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List disputes."""
    keep = having(call, "charge", "payment_intent")
    return page(call, "dispute", "/v1/disputes", keep=keep)


ROUTES: Final = (
    Route(
        "GET",
        "/v1/disputes",
        list_all,
        params.list_fields(
            {
                "charge": params.identifier,
                "payment_intent": params.identifier,
                "created": params.time_range,
            }
        ),
        "dispute",
        listing=True,
    ),
    Route("GET", "/v1/disputes/{dispute}", retrieve, params.fields({}), "dispute"),
)
