"""The current period of a subscription: where it goes from there, and what it costs."""

from gatekeeper.sandbox.stripe.billing.invoice_bodies import new_line
from gatekeeper.sandbox.stripe.billing.periods import boundary, next_boundary
from gatekeeper.sandbox.stripe.billing.subscription_bodies import item_of, period_of, set_period
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call


def move_on(subscription: Json) -> None:
    """Let the next period follow on the current one."""
    recurring = item_of(subscription)["price"]["recurring"]
    start_s = period_of(subscription)["end"]
    end_s = next_boundary(subscription["billing_cycle_anchor"], recurring, start_s)
    set_period(subscription, start_s, end_s)


def restart(call: Call, subscription: Json) -> Json:
    """Let a whole period begin now, from which all others are counted; return its line."""
    now_s = call.now_s()
    subscription["billing_cycle_anchor"] = now_s
    end_s = boundary(now_s, item_of(subscription)["price"]["recurring"], 1)
    set_period(subscription, now_s, end_s)
    return period_line(subscription)


def period_line(subscription: Json) -> Json:
    """Make the line for the whole current period."""
    period = period_of(subscription)
    return new_line(
        subscription,
        item_of(subscription)["price"]["unit_amount"],
        f"1 x {_name(subscription)}",
        start_s=period["start"],
        end_s=period["end"],
    )


def rest_line(subscription: Json, from_s: int) -> Json:
    """Make the line for the rest of the current period from a moment on."""
    amount_minor = _share_minor(subscription, from_s)
    what = f"Remaining time on {_name(subscription)}"
    return _proration(subscription, amount_minor, what, from_s)


def credit_line(subscription: Json, from_s: int) -> Json:
    """Make the line that gives back what the rest of the current period has cost."""
    amount_minor = -_share_minor(subscription, from_s)
    what = f"Unused time on {_name(subscription)}"
    return _proration(subscription, amount_minor, what, from_s)


def _proration(subscription: Json, amount_minor: int, what: str, from_s: int) -> Json:
    end_s = period_of(subscription)["end"]
    return new_line(subscription, amount_minor, what, start_s=from_s, end_s=end_s, proration=True)


def _name(subscription: Json) -> str:
    price = item_of(subscription)["price"]
    name: str = price["nickname"] or price["id"]
    return name


def _share_minor(subscription: Json, from_s: int) -> int:
    """Return the price of the rest of the current period, which Stripe counts to the second."""
    period, price = period_of(subscription), item_of(subscription)["price"]
    start_s: int = period["start"]
    if period["end"] == subscription["billing_cycle_anchor"]:  # it began later than a whole one
        start_s = boundary(period["end"], price["recurring"], -1)
    unit_minor: int = price["unit_amount"]
    end_s: int = period["end"]
    return round(unit_minor * (end_s - from_s) / (end_s - start_s))
