"""What the invoices of subscriptions, their lines and their payments look like."""

from collections.abc import Sequence
from typing import Literal

from gatekeeper.sandbox.stripe.billing.subscription_bodies import PAYMENT_SETTINGS, item_of
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call, new_id

BillingReason = Literal["subscription_create", "subscription_cycle", "subscription_update"]


def new_invoice(
    call: Call, subscription: Json, lines: Sequence[Json], *, reason: BillingReason, period: Json
) -> Json:
    """Make a draft; `period` is the one that has passed, not those of its lines."""
    customer = call.state.objects["customer"][subscription["customer"]]
    total_minor = sum(line["amount"] for line in lines)
    id_ = new_id("in")
    for line in lines:
        line["invoice"] = id_
    return {
        "id": id_,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_due": max(total_minor, 0),
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": max(total_minor, 0),
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": call.now_s(),
        "currency": subscription["currency"],
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": {
            "object": "list",
            "data": list(lines),
            "has_more": False,
            "url": f"/v1/invoices/{id_}/lines",
        },
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "payment_settings": {"default_mandate": None, **PAYMENT_SETTINGS},
        "period_end": period["end"],
        "period_start": period["start"],
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": customer["balance"],
        "statement_descriptor": None,
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": total_minor,
        "subtotal_excluding_tax": total_minor,
        "test_clock": customer["test_clock"],
        "total": total_minor,
        "total_discount_amounts": [],
        "total_excluding_tax": total_minor,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }


def subscription_of(invoice: Json) -> str:
    """Return the id of the subscription that an invoice is for."""
    id_: str = invoice["parent"]["subscription_details"]["subscription"]
    return id_


def new_line(
    subscription: Json,
    amount_minor: int,
    description: str,
    *,
    start_s: int,
    end_s: int,
    proration: bool = False,
) -> Json:
    """Make a line for the current price of a subscription, over the period given."""
    item = item_of(subscription)
    price = item["price"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount_minor,
        "currency": subscription["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": not proration,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": dict(subscription["metadata"]),
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": end_s, "start": start_s},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": subscription["id"],
        "subtotal": amount_minor,
        "taxes": [],
    }


def new_payment(call: Call, invoice: Json, intent: Json) -> Json:
    """Make the link between an invoice and the PaymentIntent that pays it."""
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": call.now_s(),
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
