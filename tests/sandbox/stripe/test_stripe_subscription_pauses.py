"""Subscriptions that pause: their collection alone, or all of them."""

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from tests.sandbox.stripe.subscribing import MID_FEBRUARY, Subscriber, amounts, at, period_of


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("keep_as_draft", "draft"), ("mark_uncollectible", "uncollectible"), ("void", "void")],
)
def test_paused_collection_goes_on_turning_over(
    ada: Subscriber, subscription: stripe.Subscription, behavior: str, status: str
) -> None:
    paused = ada.update(
        subscription,
        pause_collection={"behavior": behavior, "resumes_at": at("2027-03-15T00:00")},
    )
    assert paused.status == "active"
    assert [event.type for event in ada.told()] == ["customer.subscription.updated"]
    ada.wait_until("2027-03-01T00:00")
    assert period_of(ada.now(subscription)) == ("2027-02-28T09:00", "2027-03-31T09:00")
    assert ada.invoices(subscription)[0].status == status
    assert ada.told("charge.") == []
    ada.wait_until("2027-03-31T10:00")
    assert ada.now(subscription).pause_collection is None
    assert ada.invoices(subscription)[0].status == "paid"
    told = [event.type for event in ada.told("customer.subscription.")]
    assert set(told) == {"customer.subscription.updated"}  # neither paused nor resumed


def test_collection_can_be_resumed_by_hand(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    ada.update(subscription, pause_collection={"behavior": "void"})
    assert ada.update(subscription, pause_collection="").pause_collection is None


def test_a_pause_stops_the_periods(ada: Subscriber, subscription: stripe.Subscription) -> None:
    paused = ada.client.v1.subscriptions.pause(subscription.id)
    assert paused.status == "paused"
    assert period_of(paused) == ("2027-01-31T09:00", MID_FEBRUARY)
    assert paused.status_details is not None
    assert paused.status_details.paused.subscription.type == "pause_requested"
    assert [event.type for event in ada.told()] == [
        "customer.subscription.paused",
        "customer.subscription.updated",
    ]
    ada.wait_until("2027-06-01T00:00")
    assert ada.told("customer.", "invoice.") == []
    with pytest.raises(stripe.InvalidRequestError, match="Only an active subscription"):
        ada.client.v1.subscriptions.pause(subscription.id)
    with pytest.raises(stripe.InvalidRequestError, match="can't be changed"):
        ada.switch(subscription, ada.pro)


def paused(ada: Subscriber, subscription: stripe.Subscription) -> stripe.Subscription:
    """Pause a subscription for three weeks."""
    ada.client.v1.subscriptions.pause(subscription.id)
    ada.wait_until("2027-03-07T12:00")
    ada.told()
    return subscription


def test_a_pause_ends_with_a_payment(ada: Subscriber, subscription: stripe.Subscription) -> None:
    paused(ada, subscription)
    resumed = ada.client.v1.subscriptions.resume(
        subscription.id, params={"payment_behavior": "resume_on_payment_success"}
    )
    assert (resumed.status, resumed.status_details) == ("active", None)
    assert period_of(resumed) == ("2027-03-07T12:00", "2027-04-07T12:00")
    assert amounts(ada.invoices(subscription)[0]) == [2900, -1450]  # less what was left in February
    assert ada.told("customer.subscription.")[-1].type == "customer.subscription.resumed"


def test_a_pause_lasts_until_somebody_pays(
    ada: Subscriber, subscription: stripe.Subscription
) -> None:
    paused(ada, subscription)
    ada.client.v1.subscriptions.resume(subscription.id)
    assert ada.now(subscription).status == "paused"
    invoice = ada.invoices(subscription)[0]
    assert (invoice.status, invoice.attempted) == ("open", False)
    with pytest.raises(stripe.InvalidRequestError, match="isn't being resumed already"):
        ada.client.v1.subscriptions.resume(subscription.id)
    ada.client.v1.invoices.pay(invoice.id)
    assert ada.now(subscription).status == "active"


def test_a_pause_whose_payment_fails(
    ada: Subscriber, control: SandboxControl, subscription: stripe.Subscription
) -> None:
    paused(ada, subscription)
    control.set_outcome(ada.card, "decline")
    ada.client.v1.subscriptions.resume(
        subscription.id, params={"payment_behavior": "resume_on_payment_success"}
    )
    assert ada.now(subscription).status == "paused"
    ada.wait_until("2027-03-08T12:00")
    assert ada.invoices(subscription)[0].status == "void"  # a day is over
    ada.client.v1.subscriptions.resume(subscription.id)
    with pytest.raises(stripe.CardError):
        ada.client.v1.invoices.pay(ada.invoices(subscription)[0].id)
    assert ada.now(subscription).status == "past_due"
