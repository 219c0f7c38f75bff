"""Subscriptions that somebody doesn't pay: incomplete, past due, unpaid, canceled."""

from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from gatekeeper.sandbox.stripe.client import SandboxControlError
from tests.sandbox.stripe.endpoint import Endpoint
from tests.sandbox.stripe.subscribing import Subscriber, period_of


def test_without_a_card_there_is_no_subscription(cardless: Subscriber) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="no attached payment source") as caught:
        cardless.subscribe()
    assert caught.value.code == "resource_missing"
    assert cardless.client.v1.subscriptions.list(params={"status": "all"}).data == []


def test_a_first_payment_that_fails_leaves_it_incomplete(
    ada: Subscriber, control: SandboxControl
) -> None:
    control.set_outcome(ada.card, "decline")
    subscription = ada.subscribe()
    assert subscription.status == "incomplete"
    (invoice,) = ada.invoices(subscription)
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    ada.wait_until("2027-02-01T07:59")
    assert ada.now(subscription).status == "incomplete"
    ada.wait_until("2027-02-01T08:00")
    assert ada.now(subscription).status == "incomplete_expired"
    assert ada.invoices(subscription)[0].status == "void"
    assert "payment_intent.canceled" in [event.type for event in ada.told()]


def test_paying_the_first_invoice_makes_it_active(ada: Subscriber, control: SandboxControl) -> None:
    control.set_outcome(ada.card, "decline")
    subscription = ada.subscribe()
    control.set_outcome(ada.card, "succeed")
    invoice = ada.client.v1.invoices.pay(ada.invoices(subscription)[0].id)
    assert (invoice.status, ada.now(subscription).status) == ("paid", "active")


def past_due(ada: Subscriber, control: SandboxControl) -> stripe.Subscription:
    """Return a subscription whose second period nobody has paid."""
    subscription = ada.subscribe()
    control.set_outcome(ada.card, "decline", decline_code="insufficient_funds")
    ada.told()
    ada.wait_until("2027-02-28T10:00")
    return ada.now(subscription)


def test_a_declined_renewal_is_past_due(ada: Subscriber, control: SandboxControl) -> None:
    subscription = past_due(ada, control)
    assert subscription.status == "past_due"
    assert period_of(subscription) == ("2027-02-28T09:00", "2027-03-31T09:00")
    told = ada.told("charge.", "invoice.payment", "customer.")
    assert [event.type for event in told] == [
        "customer.subscription.updated",
        "charge.failed",
        "invoice.payment_failed",
        "customer.updated",
        "customer.subscription.updated",
    ]
    assert [event.body["status"] for event in (told[0], told[-1])] == ["active", "past_due"]
    assert told[3].body["delinquent"] is True
    failed = told[2].body
    assert (failed["status"], failed["amount_remaining"]) == ("open", 2900)


def test_a_new_card_pays_what_is_due(ada: Subscriber, control: SandboxControl) -> None:
    subscription = past_due(ada, control)
    due = ada.invoices(subscription)[0]
    with pytest.raises(stripe.CardError) as caught:
        ada.client.v1.invoices.pay(due.id)
    assert caught.value.code == "card_declined"
    card = ada.client.v1.payment_methods.attach("pm_card_mastercard", params={"customer": ada.id})
    ada.told()
    paid = ada.client.v1.invoices.pay(due.id, params={"payment_method": card.id})
    assert (paid.status, paid.attempt_count) == ("paid", 3)
    assert ada.now(subscription).status == "active"
    assert [event.type for event in ada.told("invoice.", "customer.")] == [
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.updated",
        "customer.subscription.updated",
    ]
    with pytest.raises(stripe.InvalidRequestError, match="already paid"):
        ada.client.v1.invoices.pay(due.id)


def test_past_due_goes_on_until_a_period_is_paid(ada: Subscriber, control: SandboxControl) -> None:
    subscription = past_due(ada, control)
    ada.wait_until("2027-03-31T10:00")
    assert ada.now(subscription).status == "past_due"
    control.set_outcome(ada.card, "succeed")
    february = ada.invoices(subscription)[1]
    assert ada.client.v1.invoices.pay(february.id).status == "paid"
    assert ada.now(subscription).status == "past_due"  # March isn't paid
    ada.wait_until("2027-04-30T10:00")
    assert ada.now(subscription).status == "active"
    statuses = [invoice.status for invoice in ada.invoices(subscription)]
    assert statuses == ["paid", "open", "paid", "paid"]


def test_unpaid_still_turns_over(ada: Subscriber, control: SandboxControl) -> None:
    subscription = past_due(ada, control)
    control.exhaust_retries(subscription.id, "unpaid")
    ada.told()
    ada.wait_until("2027-04-01T00:00")
    turned = ada.now(subscription)
    assert turned.status == "unpaid"
    assert period_of(turned) == ("2027-03-31T09:00", "2027-04-30T09:00")
    newest, due, _ = ada.invoices(subscription)
    assert (newest.status, newest.auto_advance) == ("draft", False)
    assert ada.told("charge.") == []
    control.set_outcome(ada.card, "succeed")
    ada.client.v1.invoices.pay(due.id)
    assert ada.now(subscription).status == "active"


def test_canceled_after_the_last_retry(ada: Subscriber, control: SandboxControl) -> None:
    subscription = past_due(ada, control)
    ada.told()
    control.exhaust_retries(subscription.id, "canceled")
    (deleted,) = ada.told("customer.subscription.")
    assert deleted.type == "customer.subscription.deleted"
    assert deleted.body["cancellation_details"]["reason"] == "payment_failed"
    ada.wait_until("2027-06-01T00:00")
    assert len(ada.invoices(subscription)) == 2
    with pytest.raises(SandboxControlError, match="status is canceled"):
        control.exhaust_retries(subscription.id, "unpaid")


def test_a_payment_in_the_air_is_settled_by_hand(ada: Subscriber, control: SandboxControl) -> None:
    subscription = ada.subscribe()
    control.set_outcome(ada.card, "processing")
    ada.wait_until("2027-03-01T00:00")
    assert ada.now(subscription).status == "active"
    invoice = ada.invoices(subscription)[0]
    params: Any = {"invoice": invoice.id}
    (payment,) = ada.client.v1.invoice_payments.list(params=params).data
    control.settle_payment(str(payment.payment.payment_intent), "decline")
    assert ada.now(subscription).status == "past_due"


def test_its_events_can_be_held_and_reordered(
    ada: Subscriber, control: SandboxControl, endpoint: Endpoint
) -> None:
    ada.subscribe()
    endpoint.wait_for(9)
    control.webhooks(wait_s=10)
    control.configure_webhooks(mode="hold")
    ada.wait_until("2027-02-28T10:00")
    wanted = ["invoice.paid", "customer.subscription.updated"]
    held = {d["type"]: d["event"] for d in control.webhooks() if d["state"] == "held"}
    control.release_webhooks(events=[held[type_] for type_ in wanted])
    late = endpoint.wait_for(11)[-2:]
    for delivered, type_ in zip(late, wanted, strict=True):
        assert f'"type": "{type_}"'.encode() in delivered.body
