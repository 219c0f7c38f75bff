"""Subscriptions that change: another price, a new anchor, an end."""

from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from tests.sandbox.stripe.subscribing import (
    MID_FEBRUARY,
    Subscriber,
    amounts,
    at,
    item_of,
    period_of,
    shown,
)


def test_an_upgrade_is_at_once_and_billed_with_the_next_period(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    changed = ada.switch(subscription, ada.pro)
    assert item_of(changed).id == item_of(subscription).id
    assert item_of(changed).price.id == item_of(changed).plan.id == ada.pro
    assert period_of(changed) == ("2027-01-31T09:00", "2027-02-28T09:00")
    (updated,) = ada.told()
    assert updated.type == "customer.subscription.updated"
    assert updated.at == MID_FEBRUARY
    assert updated.previous["items"]["data"][0]["price"]["id"] == ada.starter

    ada.wait_until("2027-02-28T10:00")
    invoice = ada.invoices(subscription)[0]
    assert amounts(invoice) == [9900, -1450, 4950]
    assert invoice.amount_paid == 9900 - 1450 + 4950


def test_an_upgrade_billed_at_once(ada: Subscriber, subscription: stripe.Subscription) -> None:
    changed = ada.switch(subscription, ada.pro, proration_behavior="always_invoice")
    invoice = ada.invoices(subscription)[0]
    assert (invoice.id, invoice.status) == (changed.latest_invoice, "paid")
    assert (invoice.amount_paid, invoice.billing_reason) == (3500, "subscription_update")
    assert [event.type for event in ada.told("invoice.paid", "customer.sub")] == [
        "customer.subscription.updated",
        "invoice.paid",
    ]
    ada.wait_until("2027-02-28T10:00")
    assert ada.invoices(subscription)[0].amount_paid == 9900


def test_an_upgrade_that_cant_be_paid_is_past_due(
    ada: Subscriber, control: SandboxControl, subscription: stripe.Subscription
) -> None:
    control.set_outcome(ada.card, "decline")
    changed = ada.switch(subscription, ada.pro, proration_behavior="always_invoice")
    assert (changed.status, item_of(changed).price.id) == ("past_due", ada.pro)


def test_a_downgrade_without_proration_costs_nothing(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    ada.switch(subscription, ada.price(900), proration_behavior="none")
    ada.wait_until("2027-02-28T10:00")
    assert amounts(ada.invoices(subscription)[0]) == [900]


def test_what_a_downgrade_gives_back_is_used_up_by_later_invoices(
    ada: Subscriber, control: SandboxControl
) -> None:
    subscription = ada.subscribe(ada.pro)
    ada.wait_until(MID_FEBRUARY)
    ada.switch(subscription, ada.starter, proration_behavior="always_invoice")
    credit = ada.invoices(subscription)[0]
    assert (credit.total, credit.amount_due, credit.status) == (-3500, 0, "paid")
    assert ada.client.v1.customers.retrieve(ada.id).balance == -3500
    ada.wait_until("2027-03-31T10:00")
    march, february = ada.invoices(subscription)[:2]
    assert (february.amount_due, february.starting_balance, february.ending_balance) == (
        0,
        -3500,
        -600,
    )
    assert (march.amount_due, march.amount_paid) == (2300, 2300)
    assert control.charges()["customers"][ada.id]["succeeded_minor"] == 9900 + 2300


def test_another_interval_begins_a_new_period(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    changed = ada.switch(subscription, ada.price(29000, "year"))
    assert period_of(changed) == (MID_FEBRUARY, "2028-02-14T09:00")
    assert shown(changed.billing_cycle_anchor) == MID_FEBRUARY
    invoice = ada.invoices(subscription)[0]
    assert (amounts(invoice), invoice.status) == ([-1450, 29000], "paid")


def test_the_anchor_can_be_set_to_now(ada: Subscriber, subscription: stripe.Subscription) -> None:
    changed = ada.update(
        subscription, billing_cycle_anchor={"type": "now"}, proration_behavior="none"
    )
    assert shown(changed.billing_cycle_anchor) == MID_FEBRUARY
    assert period_of(changed) == (MID_FEBRUARY, "2027-03-14T09:00")
    assert amounts(ada.invoices(subscription)[0]) == [2900]
    updated = ada.told("customer.subscription.updated")[0]
    assert shown(updated.previous["billing_cycle_anchor"]) == "2027-01-31T09:00"
    ada.wait_until("2027-03-14T09:00")
    assert period_of(ada.now(subscription)) == ("2027-03-14T09:00", "2027-04-14T09:00")


def test_an_unchanged_anchor_stays(ada: Subscriber, subscription: stripe.Subscription) -> None:
    ada.update(subscription, billing_cycle_anchor={"type": "unchanged"})
    assert ada.told() == []


def test_a_trial_can_end_now(ada: Subscriber) -> None:
    subscription = ada.subscribe(trial_period_days=14)
    ada.wait_until("2027-02-03T12:00")
    ada.told()
    changed = ada.update(subscription, trial_end="now")
    assert (changed.status, shown(changed.trial_end)) == ("active", "2027-02-03T12:00")
    assert period_of(changed) == ("2027-02-03T12:00", "2027-03-03T12:00")
    assert ada.invoices(subscription)[0].amount_paid == 2900
    assert [event.type for event in ada.told("customer.sub", "invoice.paid")] == [
        "customer.subscription.trial_will_end",
        "customer.subscription.updated",
        "invoice.paid",
    ]


def test_another_price_in_a_trial_costs_nothing_yet(ada: Subscriber) -> None:
    subscription = ada.subscribe(trial_period_days=14)
    assert ada.switch(subscription, ada.pro).status == "trialing"
    ada.wait_until("2027-02-14T10:00")
    assert amounts(ada.invoices(subscription)[0]) == [9900]


@pytest.mark.parametrize(
    ("params", "flag"),
    [({"cancel_at_period_end": True}, True), ({"cancel_at": "min_period_end"}, False)],
)
def test_an_end_with_the_period(
    ada: Subscriber, subscription: stripe.Subscription, params: Any, flag: bool
) -> None:
    planned = ada.update(subscription, **params)
    assert planned.status == "active"
    assert planned.cancel_at_period_end is flag
    assert shown(planned.cancel_at) == "2027-02-28T09:00"
    assert shown(planned.canceled_at) == MID_FEBRUARY
    (updated,) = ada.told()
    assert updated.previous["cancel_at"] is None

    ada.wait_until("2027-06-01T00:00")
    (deleted,) = ada.told("customer.subscription.", "invoice.")
    assert (deleted.type, deleted.at) == ("customer.subscription.deleted", "2027-02-28T09:00")
    assert deleted.body["status"] == "canceled"
    assert shown(deleted.body["ended_at"]) == "2027-02-28T09:00"
    assert shown(deleted.body["canceled_at"]) == MID_FEBRUARY
    assert len(ada.invoices(subscription)) == 1


def test_an_end_can_be_called_off(ada: Subscriber, subscription: stripe.Subscription) -> None:
    for plan, off in (
        ({"cancel_at_period_end": True}, {"cancel_at_period_end": False}),
        ({"cancel_at": "max_period_end"}, {"cancel_at": ""}),
    ):
        ada.update(subscription, **plan)
        kept = ada.update(subscription, **off)
        assert (kept.cancel_at, kept.canceled_at, kept.cancel_at_period_end) == (None, None, False)
    ada.wait_until("2027-03-01T00:00")
    assert ada.now(subscription).status == "active"


def test_cancel_at_once(ada: Subscriber, subscription: stripe.Subscription) -> None:
    canceled = ada.client.v1.subscriptions.cancel(subscription.id)
    assert (canceled.status, shown(canceled.ended_at)) == ("canceled", MID_FEBRUARY)
    assert period_of(canceled) == ("2027-01-31T09:00", "2027-02-28T09:00")
    assert [event.type for event in ada.told()] == ["customer.subscription.deleted"]
    ada.wait_until("2027-06-01T00:00")
    assert len(ada.invoices(subscription)) == 1
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        ada.client.v1.subscriptions.cancel(subscription.id)
    with pytest.raises(stripe.InvalidRequestError, match="can only update"):
        ada.switch(subscription, ada.pro)
    assert ada.update(subscription, metadata={"a": "1"}).metadata.to_dict() == {"a": "1"}


def test_a_draft_isnt_collected_after_the_end(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    ada.wait_until("2027-02-28T09:30")
    ada.client.v1.subscriptions.cancel(subscription.id)
    ada.wait_until("2027-03-01T00:00")
    assert ada.invoices(subscription)[0].status == "draft"


def test_a_deleted_customers_subscriptions_end(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    ada.client.v1.customers.delete(ada.id)
    assert ada.now(subscription).status == "canceled"
    types = [event.type for event in ada.told("customer.")]
    assert types[0] == "customer.subscription.deleted"
    assert types[-1] == "customer.deleted"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"items": [{"price": "price_nothing"}]}, "No such price"),
        ({"items": []}, "Missing required param: items"),
        ({"trial_end": at("2027-01-01T00:00")}, "in the future"),
        ({"billing_cycle_anchor": at("2027-03-01T00:00")}, "next natural billing date"),
        ({"billing_cycle_anchor": at("2027-01-01T00:00")}, "must be in the future"),
        ({"trial_period_days": 0}, "greater than or equal to 1"),
        ({"default_payment_method": "pm_nothing"}, "No such PaymentMethod"),
        ({"default_payment_method": "pm_card_visa"}, "must be attached"),
        ({"cancel_at": "max_period_end", "cancel_at_period_end": True}, "only specify one"),
        ({"coupon": "free"}, "unknown parameter"),
    ],
)
def test_what_cant_begin(ada: Subscriber, params: Any, message: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message):
        ada.subscribe(**params)
    assert ada.client.v1.subscriptions.list(params={"status": "all"}).data == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"items": [{"id": "si_nothing"}]}, "No such subscription item"),
        ({"items": [{"price": "price_nothing"}]}, "Missing required param"),
        ({"trial_end": "now"}, "no trial to end"),
        ({"billing_cycle_anchor": "now"}, "Invalid object"),
        ({"pause_collection": {"behavior": "forget"}}, "must be one of"),
        ({"cancel_at": "max_period_end", "cancel_at_period_end": True}, "only specify one"),
    ],
)
def test_what_cant_be_changed(
    ada: Subscriber, subscription: stripe.Subscription, params: Any, message: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message):
        ada.update(subscription, **params)
    assert ada.told() == []


def test_lists_and_references(ada: Subscriber, subscription: stripe.Subscription) -> None:
    other = ada.subscribe(ada.pro)
    client = ada.client
    client.v1.subscriptions.cancel(subscription.id)

    def listed(**params: Any) -> list[str]:
        values: Any = {"customer": ada.id, **params}
        return [each.id for each in client.v1.subscriptions.list(params=values).data]

    assert listed() == [other.id]
    assert listed(status="all") == [other.id, subscription.id]
    assert listed(status="canceled") == [subscription.id]
    assert listed(price=ada.starter) == []
    expanded = client.v1.subscriptions.retrieve(
        other.id, params={"expand": ["latest_invoice", "customer"]}
    )
    assert isinstance(expanded.latest_invoice, stripe.Invoice)
    assert isinstance(expanded.customer, stripe.Customer)
    with pytest.raises(stripe.InvalidRequestError, match="No such subscription"):
        client.v1.subscriptions.retrieve("sub_nothing")


def test_objects_have_the_fields_that_the_library_knows(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    client = ada.client
    invoice = ada.invoices(subscription)[0]
    objects: list[stripe.StripeObject] = [
        subscription,
        item_of(subscription),
        item_of(subscription).price,
        item_of(subscription).plan,
        client.v1.products.list().data[0],
        client.v1.prices.retrieve(ada.pro),
        client.v1.test_helpers.test_clocks.retrieve(ada.clock),
        client.v1.invoice_payments.list().data[0],
        invoice,
        invoice.lines.data[0],
    ]
    for body in objects:
        assert set(body.to_dict()) <= set(type(body).__annotations__), type(body)
