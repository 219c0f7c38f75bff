"""What a subscription of one price and its item look like.

Its period is the item's (since API 2025-03-31.basil), and it is billed in the flexible mode (the
default since 2025-09-30.clover, and the only one of the sandbox).
"""

from copy import deepcopy

from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call, new_id

PAYMENT_SETTINGS: Json = {
    "payment_method_options": None,
    "payment_method_types": None,
}


def new_subscription(call: Call, customer: Json, price: Json) -> Json:
    """Make a subscription that has no period yet."""
    id_ = new_id("sub")
    return {
        "id": id_,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": call.now_s(),
        "billing_cycle_anchor_config": None,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
            "updated_at": None,
        },
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": call.now_s(),
        "currency": price["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {
            "object": "list",
            "data": [_new_item(call, id_, price)],
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={id_}",
        },
        "latest_invoice": None,
        "livemode": False,
        "metadata": {},
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {**PAYMENT_SETTINGS, "save_default_payment_method": "off"},
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": call.now_s(),
        "status": "incomplete",
        "status_details": None,
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }


def _new_item(call: Call, subscription: str, price: Json) -> Json:
    item: Json = {
        "id": new_id("si", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": call.now_s(),
        "discounts": [],
        "metadata": {},
        "quantity": 1,
        "subscription": subscription,
        "tax_rates": [],
    }
    set_price(item, price)
    return item


def item_of(subscription: Json) -> Json:
    """Return the one item of a subscription."""
    item: Json = subscription["items"]["data"][0]
    return item


def period_of(subscription: Json) -> Json:
    """Return the current period as a start and an end."""
    item = item_of(subscription)
    return {"end": item["current_period_end"], "start": item["current_period_start"]}


def set_period(subscription: Json, start_s: int, end_s: int) -> None:
    """Put a subscription into a period."""
    item_of(subscription).update(
        billed_until=end_s, current_period_start=start_s, current_period_end=end_s
    )


def set_price(item: Json, price: Json) -> None:
    """Put an item on a recurring price; the plan repeats it in Stripe's older words."""
    recurring = price["recurring"]
    plan: Json = {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
    item.update(deepcopy({"plan": plan, "price": price}))
