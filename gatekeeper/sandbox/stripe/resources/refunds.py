"""Refunds: https://docs.stripe.com/api/refunds.

A refund of a card succeeds at once, unless its card says otherwise, and can still fail days later:
then the money is back with the merchant, and the charge counts as that much less refunded. Both
ends of a refund are brought about through the control interface. Balance transactions are left
out.

Sources: https://docs.stripe.com/refunds and, for the events,
https://docs.stripe.com/changelog/acacia/2024-10-28/refund-webhook-update.
"""

from copy import deepcopy
from http import HTTPStatus
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.currencies import price_text
from gatekeeper.sandbox.stripe.errors import Json, invalid_request
from gatekeeper.sandbox.stripe.rendering import having, page
from gatekeeper.sandbox.stripe.resources.disputes import check_not_charged_back
from gatekeeper.sandbox.stripe.routing import Route
from gatekeeper.sandbox.stripe.state import Call, new_id

_ARN: Final = "acquirer_reference_number"


def create(call: Call) -> Json:
    """Refund what is left of a charge, or a part of it.

    Raises StripeError (400) when there is no successful charge, or not that much left of it, or
    when the customer has disputed it.
    """
    charge = _refundable(call)
    left_minor = charge["amount"] - charge["amount_refunded"]
    if left_minor == 0:
        raise invalid_request(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount_minor = call.params.get("amount", left_minor)
    if amount_minor > left_minor:
        asked, left = (price_text(each, charge["currency"]) for each in (amount_minor, left_minor))
        raise invalid_request(
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({left})",
            param="amount",
        )
    body = call.state.add(_new(call, charge, amount_minor))
    call.emit("refund.created", body)
    _add_refunded(call, charge, amount_minor)
    return body


def _refundable(call: Call) -> Json:
    values: dict[str, Any] = call.params
    if ("charge" in values) == ("payment_intent" in values):
        raise invalid_request(
            "One of the following params should be provided for this request: payment_intent or "
            "charge.",
            code="parameter_missing",
        )
    if "charge" in values:
        charge = call.state.find("charge", values["charge"], param="charge")
    else:
        charge = _charge_of(call, values["payment_intent"])
    if charge["status"] != "succeeded":
        raise invalid_request(f"Charge {charge['id']} is not a successful charge to refund.")
    check_not_charged_back(call.state, charge)
    return charge


def _charge_of(call: Call, id_: str) -> Json:
    intent = call.state.find("payment_intent", id_, param="payment_intent")
    if intent["status"] != "succeeded":
        raise invalid_request(
            f"This PaymentIntent ({id_}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return call.state.objects["charge"][intent["latest_charge"]]


def _new(call: Call, charge: Json, amount_minor: int) -> Json:
    pending = call.state.cards[charge["payment_method"]].behavior.pending_refunds
    body: Json = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount_minor,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now_s(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {
            "card": {"reference_status": "pending", "reference_type": _ARN, "type": "refund"},
            "type": "card",
        },
        "metadata": params.merge_metadata({}, call.params.get("metadata", {})),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": call.params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    return {**body, "pending_reason": "processing"} if pending else body


def _add_refunded(call: Call, charge: Json, amount_minor: int) -> None:
    before = deepcopy(charge)
    _change_refunded(charge, amount_minor)
    call.emit_update("charge.refunded", before, charge)


def _change_refunded(charge: Json, by_minor: int) -> None:
    charge["amount_refunded"] += by_minor
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def settle(call: Call, body: Json, failure_reason: str | None) -> Json:
    """Let a pending refund succeed, or with a reason let a refund fail, also after its success.

    A failed refund has no event of its charge: only the refund's own say so.

    Raises StripeError (400) when it has ended otherwise already.
    """
    wanted = ("pending", "succeeded") if failure_reason else ("pending",)
    if body["status"] not in wanted:
        raise invalid_request(f"This refund can't end so: its status is {body['status']}.")
    before = deepcopy(body)
    body.pop("pending_reason", None)
    if failure_reason is None:
        body["status"] = "succeeded"
    else:
        body |= {"failure_reason": failure_reason, "status": "failed"}
        _change_refunded(call.state.objects["charge"][body["charge"]], -body["amount"])
    for type_ in ("refund.updated", "charge.refund.updated"):
        call.emit_update(type_, before, body)
    if failure_reason is not None:
        call.emit("refund.failed", body)
    return body


def retrieve(call: Call) -> Json:
    """Return a refund."""
    return call.state.find("refund", call.args["refund"], param="id", status=HTTPStatus.NOT_FOUND)


def list_all(call: Call) -> Json:
    """List refunds."""
    keep = having(call, "charge", "payment_intent")
    return page(call, "refund", "/v1/refunds", keep=keep)


ROUTES: Final = (
    Route(
        "POST",
        "/v1/refunds",
        create,
        params.fields(
            {
                "amount": params.integer(minimum=1),
                "charge": params.identifier,
                "metadata": params.metadata,
                "payment_intent": params.identifier,
                "reason": params.choice("duplicate", "fraudulent", "requested_by_customer"),
            }
        ),
        "refund",
    ),
    Route(
        "GET",
        "/v1/refunds",
        list_all,
        params.list_fields(
            {
                "charge": params.identifier,
                "payment_intent": params.identifier,
                "created": params.time_range,
            }
        ),
        "refund",
        listing=True,
    ),
    Route("GET", "/v1/refunds/{refund}", retrieve, params.fields({}), "refund"),
)
