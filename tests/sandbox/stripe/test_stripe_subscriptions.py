"""Subscriptions: how they begin, how one period follows the other, and by which clock."""

from itertools import pairwise
from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from gatekeeper.sandbox.stripe.client import SandboxControlError
from tests.sandbox.stripe.shop import confirm, create_intent
from tests.sandbox.stripe.subscribing import (
    CARD,
    Subscriber,
    at,
    item_of,
    period_of,
    shown,
)


def test_the_first_period_is_paid_at_once(ada: Subscriber) -> None:
    ada.told()
    subscription = ada.subscribe(metadata={"account": "a1"})
    assert (subscription.status, subscription.customer) == ("active", ada.id)
    assert shown(subscription.billing_cycle_anchor) == "2027-01-31T09:00"
    assert period_of(subscription) == ("2027-01-31T09:00", "2027-02-28T09:00")
    assert item_of(subscription).price.id == ada.starter
    assert item_of(subscription).quantity == 1
    assert "current_period_end" not in subscription.to_dict()
    assert subscription.billing_mode.type == "flexible"

    (invoice,) = ada.invoices(subscription)
    assert (invoice.id, invoice.status) == (subscription.latest_invoice, "paid")
    assert (invoice.amount_paid, invoice.billing_reason) == (2900, "subscription_create")
    (line,) = invoice.lines.data
    assert (line.amount, shown(line.period.end)) == (2900, "2027-02-28T09:00")
    assert invoice.parent is not None
    assert invoice.parent.subscription_details is not None
    assert invoice.parent.subscription_details.subscription == subscription.id

    told = ada.told()
    assert [event.type for event in told] == [
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.created",
    ]
    assert {event.at for event in told} == {"2027-01-31T09:00"}
    assert told[-1].body["status"] == "active"
    assert told[-1].body["metadata"] == {"account": "a1"}


MONTHS = {
    "2027-01-31T09:00": ["2027-02-28T09:00", "2027-03-31T09:00", "2027-04-30T09:00"],
    "2028-01-30T23:59": ["2028-02-29T23:59", "2028-03-30T23:59", "2028-04-30T23:59"],
    "2027-12-15T00:00": ["2028-01-15T00:00", "2028-02-15T00:00", "2028-03-15T00:00"],
}


@pytest.mark.parametrize("anchor", MONTHS)
def test_months_are_clamped_from_the_anchor(
    client: stripe.StripeClient, control: SandboxControl, anchor: str
) -> None:
    subscriber = Subscriber(client, control, since=anchor)
    subscription = subscriber.subscribe()
    starts = MONTHS[anchor]
    assert period_of(subscription) == (anchor, starts[0])
    for start, end in pairwise(starts):
        subscriber.wait_until(start)
        assert period_of(subscriber.now(subscription)) == (start, end)
    assert shown(subscriber.now(subscription).billing_cycle_anchor) == anchor


@pytest.mark.parametrize(
    ("interval", "count", "since", "ends"),
    [
        ("year", 1, "2028-02-29T12:00", ["2029-02-28T12:00", "2030-02-28T12:00"]),
        ("year", 4, "2028-02-29T12:00", ["2032-02-29T12:00", "2036-02-29T12:00"]),
        ("month", 3, "2027-11-30T00:00", ["2028-02-29T00:00", "2028-05-30T00:00"]),
        ("week", 2, "2027-03-20T10:00", ["2027-04-03T10:00", "2027-04-17T10:00"]),
        ("day", 1, "2027-12-31T23:00", ["2028-01-01T23:00", "2028-01-02T23:00"]),
    ],
)
def test_other_intervals(
    client: stripe.StripeClient,
    control: SandboxControl,
    interval: str,
    count: int,
    since: str,
    ends: list[str],
) -> None:
    subscriber = Subscriber(client, control, since=since)
    subscription = subscriber.subscribe(subscriber.price(1000, interval, count))
    assert period_of(subscription) == (since, ends[0])
    subscriber.wait_until(ends[0])
    assert period_of(subscriber.now(subscription)) == (ends[0], ends[1])


def test_a_period_begins_an_hour_before_it_is_paid(ada: Subscriber) -> None:
    subscription = ada.subscribe()
    ada.wait_until("2027-02-28T08:59")
    ada.told()
    ada.wait_until("2027-02-28T09:59")
    created, updated = ada.told("invoice.", "customer.subscription.", "payment_intent.")
    assert (created.type, created.body["status"]) == ("invoice.created", "draft")
    assert created.body["billing_reason"] == "subscription_cycle"
    # The invoice names the period that has passed; its line the one that is paid for.
    assert shown(created.body["period_start"]) == "2027-01-31T09:00"
    assert shown(created.body["lines"]["data"][0]["period"]["start"]) == "2027-02-28T09:00"
    assert (updated.type, updated.at) == ("customer.subscription.updated", "2027-02-28T09:00")
    assert updated.body["status"] == "active"
    assert updated.body["latest_invoice"] == created.body["id"]
    (before,) = updated.previous["items"]["data"]
    assert shown(before["current_period_start"]) == "2027-01-31T09:00"

    ada.wait_until("2027-02-28T10:00")
    assert [event.type for event in ada.told("invoice.", "payment_intent.")] == [
        "invoice.finalized",
        "payment_intent.created",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    assert [invoice.status for invoice in ada.invoices(subscription)] == ["paid", "paid"]


def test_every_period_that_passes_is_turned_over_in_order(ada: Subscriber) -> None:
    subscription = ada.subscribe()
    ada.told()
    ada.wait_until("2028-02-10T00:00")
    turns = ada.told("customer.subscription.updated")
    starts = [shown(e.body["items"]["data"][0]["current_period_start"]) for e in turns]
    assert starts == [event.at for event in turns]
    assert starts == [
        *("2027-02-28T09:00", "2027-03-31T09:00", "2027-04-30T09:00", "2027-05-31T09:00"),
        *("2027-06-30T09:00", "2027-07-31T09:00", "2027-08-31T09:00", "2027-09-30T09:00"),
        *("2027-10-31T09:00", "2027-11-30T09:00", "2027-12-31T09:00", "2028-01-31T09:00"),
    ]
    invoices = ada.invoices(subscription)
    assert [invoice.status for invoice in invoices] == ["paid"] * 13
    assert period_of(ada.now(subscription)) == ("2028-01-31T09:00", "2028-02-29T09:00")


def test_a_clock_only_moves_forward(ada: Subscriber, control: SandboxControl) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="only be moved forward"):
        ada.wait_until("2027-01-31T09:00")
    with pytest.raises(SandboxControlError, match="only be moved forward"):
        control.advance_clock(at("2027-01-01T00:00"), customer=ada.id)
    with pytest.raises(SandboxControlError, match="only be moved forward"):
        control.advance_clock(at("2020-01-01T00:00"))


def test_each_clock_moves_its_own_customers(
    client: stripe.StripeClient, control: SandboxControl, ada: Subscriber
) -> None:
    bob = control.create_customer(card=CARD)["customer"]["id"]
    items: Any = [{"price": ada.starter}]
    bobs = client.v1.subscriptions.create(params={"customer": bob, "items": items})
    hers = ada.subscribe()
    first_end_s = item_of(bobs).current_period_end

    control.advance_clock(first_end_s)  # everybody's who has no test clock
    assert item_of(ada.now(bobs)).current_period_start == first_end_s
    assert period_of(ada.now(hers)) == ("2027-01-31T09:00", "2027-02-28T09:00")
    eve = control.create_customer(card=CARD)["customer"]["id"]
    later = client.v1.subscriptions.create(params={"customer": eve, "items": items})
    assert item_of(later).current_period_start == first_end_s

    second_end_s = item_of(ada.now(bobs)).current_period_end
    control.advance_clock(second_end_s, customer=bob)  # who gets a test clock by that
    assert item_of(ada.now(bobs)).current_period_start == second_end_s
    assert client.v1.customers.retrieve(bob).test_clock is not None
    control.advance_clock(second_end_s + 1)
    assert len(ada.invoices(bobs)) == 3

    control.advance_clock(at("2027-02-28T09:00"), customer=ada.id)
    assert period_of(ada.now(hers))[0] == "2027-02-28T09:00"


def test_other_payments_keep_to_the_real_time(
    client: stripe.StripeClient, control: SandboxControl, ada: Subscriber
) -> None:
    before_s = client.v1.customers.create().created
    control.advance_clock(before_s + 400 * 24 * 60 * 60)
    paid = confirm(client, create_intent(client, ada.id).id, ada.card)
    assert before_s <= paid.created < before_s + 600


def test_a_customer_made_on_a_clock(client: stripe.StripeClient) -> None:
    frozen_time = at("2027-05-01T00:00")
    clock = client.v1.test_helpers.test_clocks.create(
        params={"frozen_time": frozen_time, "name": "May"}
    )
    customer = client.v1.customers.create(params={"test_clock": clock.id})
    assert (customer.test_clock, customer.created) == (clock.id, frozen_time)
    moved = client.v1.test_helpers.test_clocks.advance(
        clock.id, params={"frozen_time": frozen_time + 1}
    )
    assert (moved.status, moved.frozen_time) == ("ready", frozen_time + 1)
    assert [each.id for each in client.v1.test_helpers.test_clocks.list().data] == [clock.id]
    with pytest.raises(stripe.InvalidRequestError, match="on a test clock already"):
        client.v1.test_helpers.test_clocks.create(
            params={"frozen_time": 1, "customer": customer.id}
        )


def test_a_stub_up_to_a_chosen_anchor(ada: Subscriber) -> None:
    subscription = ada.subscribe(billing_cycle_anchor=at("2027-02-14T09:00"))
    assert period_of(subscription) == ("2027-01-31T09:00", "2027-02-14T09:00")
    (invoice,) = ada.invoices(subscription)
    assert invoice.amount_paid == round(2900 * 14 / 31)  # of 14 January to 14 February
    ada.wait_until("2027-02-14T10:00")
    assert period_of(ada.now(subscription)) == ("2027-02-14T09:00", "2027-03-14T09:00")
    assert ada.invoices(subscription)[0].amount_paid == 2900


def test_a_stub_for_nothing(ada: Subscriber) -> None:
    subscription = ada.subscribe(
        billing_cycle_anchor=at("2027-02-14T09:00"), proration_behavior="none"
    )
    assert (subscription.status, subscription.latest_invoice) == ("active", None)
    assert ada.invoices(subscription) == []


def test_a_trial_moves_the_anchor_to_its_end(ada: Subscriber) -> None:
    ada.told()
    subscription = ada.subscribe(trial_period_days=14)
    assert subscription.status == "trialing"
    assert shown(subscription.trial_end) == "2027-02-14T09:00"
    assert shown(subscription.billing_cycle_anchor) == "2027-02-14T09:00"
    assert period_of(subscription) == ("2027-01-31T09:00", "2027-02-14T09:00")
    assert [invoice.amount_paid for invoice in ada.invoices(subscription)] == [0]
    assert ada.told("charge.", "payment_intent.") == []

    ada.wait_until("2027-02-14T10:00")
    events = ada.told("customer.subscription.", "invoice.paid")
    assert [(event.type, event.at) for event in events] == [
        ("customer.subscription.trial_will_end", "2027-02-11T09:00"),
        ("customer.subscription.updated", "2027-02-14T09:00"),
        ("invoice.paid", "2027-02-14T10:00"),
    ]
    assert (events[1].previous["status"], events[1].body["status"]) == ("trialing", "active")
    assert period_of(ada.now(subscription)) == ("2027-02-14T09:00", "2027-03-14T09:00")


def test_a_short_trial_is_announced_at_once(ada: Subscriber) -> None:
    ada.told()
    ada.subscribe(trial_end=at("2027-02-02T00:00"))
    assert [event.type for event in ada.told("customer.subscription.")] == [
        "customer.subscription.created",
        "customer.subscription.trial_will_end",
    ]


@pytest.mark.parametrize(
    ("behavior", "status", "last_event"),
    [
        ("create_invoice", "past_due", "customer.subscription.updated"),
        ("cancel", "canceled", "customer.subscription.deleted"),
        ("pause", "paused", "customer.subscription.updated"),
    ],
)
def test_a_trial_that_ends_without_a_card(
    cardless: Subscriber, behavior: str, status: str, last_event: str
) -> None:
    subscription = cardless.subscribe(
        trial_period_days=14,
        trial_settings={"end_behavior": {"missing_payment_method": behavior}},
    )
    cardless.wait_until("2027-05-01T00:00")
    ended = cardless.now(subscription)
    assert ended.status == status
    types = [event.type for event in cardless.told("customer.subscription.")]
    assert types[-1] == last_event
    assert ("customer.subscription.paused" in types) is (status == "paused")
    if status == "paused":
        assert ended.status_details is not None
        reason = ended.status_details.paused.subscription.type
        assert reason == "trial_end_without_payment_method"
        assert len(cardless.invoices(subscription)) == 1
