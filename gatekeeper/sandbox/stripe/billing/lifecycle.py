"""The life of a subscription: periods that follow each other, payments, pauses, the end.

Sources: https://docs.stripe.com/billing/subscriptions/overview (statuses),
https://docs.stripe.com/billing/subscriptions/trials,
https://docs.stripe.com/billing/subscriptions/pause and …/pause-payment.

A new period begins at once and unpaid: its invoice is a draft for an hour, and only then is
payment tried. A payment that fails makes the subscription past due; what becomes of it after that
is decided through the control interface, as Stripe decides it by the account's settings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Final, Literal

from gatekeeper.sandbox.stripe.billing import invoicing
from gatekeeper.sandbox.stripe.billing.clocks import follow_clock
from gatekeeper.sandbox.stripe.billing.cycles import move_on, period_line, rest_line, restart
from gatekeeper.sandbox.stripe.billing.invoice_bodies import new_line, subscription_of
from gatekeeper.sandbox.stripe.billing.subscription_bodies import item_of, period_of, set_period
from gatekeeper.sandbox.stripe.errors import Json, StripeError, invalid_request
from gatekeeper.sandbox.stripe.state import Call, State

PauseReason = Literal["pause_requested", "trial_end_without_payment_method"]

ENDED: Final = ("canceled", "incomplete_expired")
# In these a period is followed by the next.
RUNNING: Final = ("trialing", "active", "past_due", "unpaid")
TRIAL_WARNING_S: Final = 3 * 24 * 60 * 60

# What the status becomes with the payment of the latest invoice; any other stays as it is.
_ONCE_PAID: Final = dict.fromkeys(("incomplete", "past_due", "unpaid", "paused"), "active")
_ONCE_REFUSED: Final = {"active": "past_due"}


@contextmanager
def changing(call: Call, subscription: Json) -> Iterator[None]:
    """Tell of what changes in a subscription within the block, if anything does."""
    before = deepcopy(subscription)
    yield
    call.emit_update("customer.subscription.updated", before, subscription)


def check_payable(state: State, subscription: Json) -> None:
    """Refuse a subscription that there is nothing to pay with. Raises StripeError (400)."""
    if invoicing.payment_method_for(state, subscription) is None:
        raise invalid_request(
            "This customer has no attached payment source or default payment method. Please "
            "consider adding a default payment method. For more information, visit "
            "https://stripe.com/docs/billing/subscriptions/payment-methods-setting"
            "#payment-method-priority.",
            code="resource_missing",
        )


def begin(call: Call, subscription: Json) -> None:
    """Start the first period now, and have it paid."""
    _begin(call, subscription, [restart(call, subscription)])


def begin_until(call: Call, subscription: Json, anchor_s: int, *, prorated: bool) -> None:
    """Start with a part of a period up to the anchor, for its share of the price or for nothing."""
    now_s = call.now_s()
    subscription["billing_cycle_anchor"] = anchor_s
    set_period(subscription, now_s, anchor_s)
    lines = []
    if prorated:
        lines.append(rest_line(subscription, now_s))
    _begin(call, subscription, lines)


def begin_trial(call: Call, subscription: Json, end_s: int) -> None:
    """Start with a trial; the periods are counted from its end."""
    now_s = call.now_s()
    subscription |= {
        "billing_cycle_anchor": end_s,
        "status": "trialing",
        "trial_end": end_s,
        "trial_start": now_s,
    }
    set_period(subscription, now_s, end_s)
    _begin(
        call, subscription, [new_line(subscription, 0, "Free trial", start_s=now_s, end_s=end_s)]
    )


def _begin(call: Call, subscription: Json, lines: list[Json]) -> None:
    if lines:
        period = {"end": call.now_s(), "start": call.now_s()}
        invoice = invoicing.draft(
            call, subscription, lines, reason="subscription_create", period=period
        )
        invoicing.finalize(call, invoice)
        invoicing.collect(call, invoice)
        subscription["status"] = _status_after(call, subscription, invoice)
    else:
        subscription["status"] = "active"


def announce_trial_end(call: Call, subscription: Json) -> None:
    """Tell that a trial will end."""
    call.state.notes[subscription["id"]].trial_end_announced = True
    call.emit("customer.subscription.trial_will_end", subscription)


def turn(call: Call, subscription: Json) -> None:
    """End the current period; the next one follows, unless the subscription stops with it."""
    period, cancel_at_s = period_of(subscription), subscription["cancel_at"]
    if cancel_at_s is not None and cancel_at_s <= period["end"]:
        cancel(call, subscription, subscription["cancellation_details"]["reason"])
    elif subscription["status"] == "trialing" and _stops_after_trial(call, subscription):
        return
    else:
        with changing(call, subscription):
            if subscription["status"] == "trialing":
                subscription["status"] = "active"
            move_on(subscription)
            _invoice_period(call, subscription, period)


def _stops_after_trial(call: Call, subscription: Json) -> bool:
    """Pause or cancel if there is nothing to pay with and the settings say so."""
    behavior = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if invoicing.payment_method_for(call.state, subscription) or behavior == "create_invoice":
        return False
    if behavior == "cancel":
        cancel(call, subscription, None)
    else:
        pause(call, subscription, "trial_end_without_payment_method")
    return True


def _invoice_period(call: Call, subscription: Json, past: Json) -> None:
    paused = (subscription["pause_collection"] or {}).get("behavior")
    waits = paused is not None or subscription["status"] == "unpaid"
    invoice = invoicing.draft(
        call,
        subscription,
        [period_line(subscription)],
        reason="subscription_cycle",
        period=past,
        finalizes_at_s=None if waits else call.now_s() + invoicing.DRAFT_FOR_S,
    )
    if paused in {"void", "mark_uncollectible"}:
        invoicing.finalize(call, invoice)
        give_up = invoicing.void if paused == "void" else invoicing.mark_uncollectible
        give_up(call, invoice)


def finalize(call: Call, invoice: Json) -> None:
    """Finalize the draft of a period, and try to have it paid."""
    invoicing.finalize(call, invoice)
    collect(call, invoice)


def collect(call: Call, invoice: Json, payment_method: str | None = None) -> StripeError | None:
    """Try to have an invoice paid; the subscription follows. Return the refusal if there is one."""
    refusal = invoicing.collect(call, invoice, payment_method)
    _follow(call, invoice)
    return refusal


def settle(call: Call, intent: Json) -> None:
    """Let the invoice of a payment that was settled by hand follow it, if it is for one."""
    invoice = invoicing.invoice_paid_with(call.state, intent)
    if invoice is not None:
        follow_clock(call, invoice)
        invoicing.settle(call, invoice, intent)
        _follow(call, invoice)


def _follow(call: Call, invoice: Json) -> None:
    subscription = call.state.objects["subscription"][subscription_of(invoice)]
    if latest_invoice(call.state, subscription) is not invoice:
        return
    status = subscription["status"]
    with changing(call, subscription):
        subscription["status"] = _status_after(call, subscription, invoice)
        if subscription["status"] != "paused":
            subscription["status_details"] = None
    if status == "paused" and subscription["status"] != "paused":
        call.emit("customer.subscription.resumed", subscription)


def latest_invoice(state: State, subscription: Json) -> Json | None:
    """Return the newest invoice that was to be paid: no draft, and none given up."""
    for invoice in state.all("invoice"):
        mine = subscription_of(invoice) == subscription["id"]
        if mine and invoice["status"] in {"open", "paid"}:
            return invoice
    return None


def _status_after(call: Call, subscription: Json, invoice: Json) -> str:
    status: str = subscription["status"]
    if invoice["status"] == "paid":
        return _ONCE_PAID.get(status, status)
    if invoicing.is_processing(call.state, invoice):
        return status
    if status == "paused" and call.state.notes[subscription["id"]].resumes_on_attempt:
        return "past_due"
    return _ONCE_REFUSED.get(status, status)


def pause(call: Call, subscription: Json, reason: PauseReason) -> None:
    """Pause a subscription: its period is over, no other begins, and no invoice is made."""
    with changing(call, subscription):
        item_of(subscription)["current_period_end"] = call.now_s()
        subscription["status"] = "paused"
        subscription["status_details"] = {
            "paused": {
                "subscription": {"type": reason},
                "transitioned_at": call.now_s(),
                "type": "subscription",
            }
        }
        call.emit("customer.subscription.paused", subscription)


def resume(call: Call, subscription: Json, *, on_attempt: bool) -> None:
    """Let a new period begin after a pause, which ends once that period is paid.

    With `on_attempt` payment is not tried now, and the pause ends with the first try.
    """
    call.state.notes[subscription["id"]].resumes_on_attempt = on_attempt
    past = period_of(subscription)
    with changing(call, subscription):
        line = restart(call, subscription)
        invoice = invoicing.draft(
            call, subscription, [line], reason="subscription_update", period=past
        )
        invoicing.finalize(call, invoice)
    if not on_attempt or invoice["amount_due"] == 0:
        collect(call, invoice)


def give_up_payment(call: Call, subscription: Json) -> None:
    """End the wait for the payment that a first period, or one after a pause, begins with."""
    invoice = latest_invoice(call.state, subscription)
    if invoice is not None:
        invoicing.void(call, invoice)
    if subscription["status"] == "incomplete":
        with changing(call, subscription):
            subscription |= {"ended_at": call.now_s(), "status": "incomplete_expired"}


def exhaust_retries(call: Call, subscription: Json, outcome: Literal["unpaid", "canceled"]) -> None:
    """Do what Stripe does after the last retry of a payment, by the account's settings.

    Raises StripeError (400) when the subscription isn't past due.
    """
    if subscription["status"] != "past_due":
        raise invalid_request(
            f"Nothing is being retried: the subscription's status is {subscription['status']}."
        )
    if outcome == "canceled":
        cancel(call, subscription, "payment_failed")
    else:
        invoicing.stop_drafts(call.state, subscription)
        with changing(call, subscription):
            subscription["status"] = "unpaid"


def cancel(call: Call, subscription: Json, reason: str | None) -> None:
    """End a subscription now; what is left of its period is lost."""
    subscription |= {
        "canceled_at": subscription["canceled_at"] or call.now_s(),
        "ended_at": call.now_s(),
        "status": "canceled",
        "status_details": None,
    }
    subscription["cancellation_details"]["reason"] = reason
    call.state.notes[subscription["id"]].pending_lines = []
    invoicing.stop_drafts(call.state, subscription)
    call.emit("customer.subscription.deleted", subscription)
