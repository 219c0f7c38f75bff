"""Changes of a subscription in the middle of a period: another price, a new anchor, no more trial.

Prorations wait for the next invoice, or are invoiced at once when asked for or when a new period
begins. Source: https://docs.stripe.com/billing/subscriptions/prorations.
"""

from typing import Literal

from gatekeeper.sandbox.stripe.billing import invoicing, lifecycle
from gatekeeper.sandbox.stripe.billing.cycles import credit_line, rest_line, restart
from gatekeeper.sandbox.stripe.billing.subscription_bodies import item_of, period_of, set_price
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call

ProrationBehavior = Literal["create_prorations", "always_invoice", "none"]


def change_price(
    call: Call, subscription: Json, price: Json, behavior: ProrationBehavior
) -> Json | None:
    """Put a subscription on another price, from now on.

    A price with another interval begins a new period. Returns the invoice to be paid now, if any.
    """
    item = item_of(subscription)
    if subscription["status"] == "trialing":
        set_price(item, price)
        return None
    same = _interval(item["price"]) == _interval(price)
    if not same:
        return restart_cycle(call, subscription, price, behavior)
    lines = []
    if behavior != "none":
        lines.append(credit_line(subscription, call.now_s()))
    set_price(item, price)
    if behavior != "none":
        lines.append(rest_line(subscription, call.now_s()))
    call.state.notes[subscription["id"]].pending_lines += lines
    return _invoice(call, subscription, []) if behavior == "always_invoice" else None


def _interval(price: Json) -> tuple[str, int]:
    return price["recurring"]["interval"], price["recurring"]["interval_count"]


def restart_cycle(call: Call, subscription: Json, price: Json, behavior: ProrationBehavior) -> Json:
    """Begin a new period now, at this price; return its invoice."""
    lines = []
    if behavior != "none":
        lines.append(credit_line(subscription, call.now_s()))
    set_price(item_of(subscription), price)
    return _invoice(call, subscription, [*lines, restart(call, subscription)])


def end_trial(call: Call, subscription: Json) -> Json:
    """End a trial now, with the first period that costs something; return its invoice."""
    lifecycle.announce_trial_end(call, subscription)
    subscription |= {"status": "active", "trial_end": call.now_s()}
    return _invoice(call, subscription, [restart(call, subscription)])


def _invoice(call: Call, subscription: Json, lines: list[Json]) -> Json:
    now_s = call.now_s()
    period = {"end": now_s, "start": min(now_s, period_of(subscription)["start"])}
    invoice = invoicing.draft(
        call, subscription, lines, reason="subscription_update", period=period
    )
    invoicing.finalize(call, invoice)
    return invoice
