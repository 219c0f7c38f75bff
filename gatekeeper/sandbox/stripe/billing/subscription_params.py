"""What a request about a subscription may say: its parameters, and which of them go together."""

from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.billing.lifecycle import ENDED, RUNNING
from gatekeeper.sandbox.stripe.billing.periods import boundary
from gatekeeper.sandbox.stripe.billing.subscription_bodies import item_of
from gatekeeper.sandbox.stripe.errors import Json, invalid_request, missing
from gatekeeper.sandbox.stripe.state import Call

_DAY_S: Final = 24 * 60 * 60
_LONGEST_TRIAL_DAYS: Final = 730
_STATUSES: Final = (
    "active",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)
_WRITABLE: Final = {
    "cancel_at": params.optional(params.choice("max_period_end", "min_period_end")),
    "cancel_at_period_end": params.boolean,
    "default_payment_method": params.identifier,
    "description": params.string(max_length=500),
    "metadata": params.metadata,
    "proration_behavior": params.choice("always_invoice", "create_prorations", "none"),
    "trial_settings": params.fields(
        {
            "end_behavior": params.fields(
                {"missing_payment_method": params.choice("cancel", "create_invoice", "pause")},
                required=("missing_payment_method",),
            )
        },
        required=("end_behavior",),
    ),
}
_QUANTITY: Final = params.integer(minimum=1, maximum=1)
_NEW_ITEM: Final = params.fields(
    {"price": params.identifier, "quantity": _QUANTITY}, required=("price",)
)
_ITEM: Final = params.fields(
    {"id": params.identifier, "price": params.identifier, "quantity": _QUANTITY}, required=("id",)
)
_PAUSE_COLLECTION: Final = params.fields(
    {
        "behavior": params.choice("keep_as_draft", "mark_uncollectible", "void"),
        "resumes_at": params.integer(),
    },
    required=("behavior",),
)

# What can be changed only while one period follows another.
_OF_THE_PLAN: Final = {
    "billing_cycle_anchor",
    "cancel_at",
    "cancel_at_period_end",
    "items",
    "trial_end",
}

CREATE: Final = params.fields(
    {
        **_WRITABLE,
        "billing_cycle_anchor": params.integer(),
        "customer": params.identifier,
        "items": params.list_of(_NEW_ITEM),
        "trial_end": params.integer(),
        "trial_period_days": params.integer(minimum=1, maximum=_LONGEST_TRIAL_DAYS),
    },
    required=("customer", "items"),
)
UPDATE: Final = params.fields(
    {
        **_WRITABLE,
        "billing_cycle_anchor": params.fields(
            {"type": params.choice("now", "unchanged")}, required=("type",)
        ),
        "items": params.list_of(_ITEM),
        "pause_collection": params.optional(_PAUSE_COLLECTION),
        "trial_end": params.choice("now"),
    }
)
LIST: Final = params.list_fields(
    {
        "created": params.time_range,
        "customer": params.identifier,
        "price": params.identifier,
        "status": params.choice("all", *_STATUSES),
    }
)
PAUSE: Final = params.fields({"type": params.choice("subscription")})
RESUME: Final = params.fields(
    {
        "billing_cycle_anchor": params.fields({"type": params.choice("now")}, required=("type",)),
        "payment_behavior": params.choice("resume_on_payment_attempt", "resume_on_payment_success"),
    }
)


def first_price(call: Call) -> Json:
    """Return the price that a subscription is to begin with. Raises StripeError (400)."""
    return _recurring(call, _one(call.params["items"])["price"])


def _one(items: list[Json]) -> Json:
    if len(items) != 1:
        raise invalid_request("The sandbox has subscriptions of one item.", param="items")
    return items[0]


def _recurring(call: Call, id_: str) -> Json:
    price = call.state.find("price", id_, param="items[0][price]")
    if price["recurring"] is None:
        raise invalid_request(
            "The price specified is set to `type=one_time` but this field only accepts prices "
            "with `type=recurring`.",
            param="items[0][price]",
        )
    return price


def start_of(call: Call, price: Json) -> tuple[int | None, int | None]:
    """Return the end of the trial and the anchor that are asked for, in Unix seconds.

    Raises StripeError (400) when they aren't ahead, or not both possible.
    """
    values: dict[str, Any] = call.params
    trial_end_s, anchor_s = values.get("trial_end"), values.get("billing_cycle_anchor")
    if "trial_period_days" in values:
        trial_end_s = call.now_s() + values["trial_period_days"] * _DAY_S
    if trial_end_s is not None and anchor_s is not None:
        raise invalid_request(
            "The sandbox counts from the end of a trial; leave out `billing_cycle_anchor`.",
            param="billing_cycle_anchor",
        )
    if trial_end_s is not None and trial_end_s <= call.now_s():
        raise invalid_request(
            "Invalid timestamp: must be an integer Unix timestamp in the future.",
            param="trial_end",
        )
    natural_s = boundary(call.now_s(), price["recurring"], 1)
    if anchor_s is not None and not call.now_s() < anchor_s <= natural_s:
        raise invalid_request(
            "billing_cycle_anchor must be in the future, and cannot be later than next natural "
            f"billing date ({natural_s}) for plan",
            param="billing_cycle_anchor",
        )
    return trial_end_s, anchor_s


def check_end(call: Call) -> None:
    """Refuse to be told twice when a subscription is to end. Raises StripeError (400)."""
    if "cancel_at" in call.params and "cancel_at_period_end" in call.params:
        raise invalid_request(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            param="cancel_at",
        )


def check_changes(call: Call, subscription: Json) -> None:
    """Refuse changes that the status of a subscription doesn't allow. Raises StripeError (400)."""
    status, wanted = subscription["status"], call.params.keys()
    if status in ENDED and wanted - {"metadata"}:
        raise invalid_request(
            "A canceled subscription can only update its cancellation_details and metadata."
        )
    if status not in RUNNING and wanted & _OF_THE_PLAN:
        raise invalid_request(f"The plan can't be changed while the status is {status}.")
    if status != "trialing" and "trial_end" in wanted:
        raise invalid_request("There is no trial to end.", param="trial_end")
    if status == "trialing" and restarts(call):
        raise invalid_request(
            "The anchor of a trial is its end; set `trial_end` instead.",
            param="billing_cycle_anchor",
        )


def restarts(call: Call) -> bool:
    """Tell whether a new period is to begin now."""
    return bool(call.params.get("billing_cycle_anchor", {}).get("type") == "now")


def price_after(call: Call, subscription: Json) -> Json:
    """Return the price that a subscription is to have after a change. Raises StripeError (400)."""
    item = item_of(subscription)
    current: Json = item["price"]
    if "items" not in call.params:
        return current
    wanted = _one(call.params["items"])
    if wanted["id"] != item["id"]:
        raise missing("subscription item", wanted["id"], param="items[0][id]")
    price = _recurring(call, wanted["price"] if "price" in wanted else current["id"])
    if price["currency"] != subscription["currency"]:
        raise invalid_request(
            f"The price specified only supports `{price['currency']}`. This doesn't match the "
            f"expected currency: `{subscription['currency']}`.",
            param="items[0][price]",
        )
    return price
