"""Refunds: whole, in parts, refused, pending, and failing after the fact."""

from typing import Any, NamedTuple

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from gatekeeper.sandbox.stripe.client import SandboxControlError
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.endpoint import Endpoint
from tests.sandbox.stripe.shop import confirm, create_intent, event_types, last_event


class Payment(NamedTuple):
    intent: str
    charge: str


def pay(client: stripe.StripeClient, buyer: Buyer) -> Payment:
    """Pay 20 dollars."""
    paid = confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    return Payment(paid.id, str(paid.latest_charge))


@pytest.fixture
def payment(client: stripe.StripeClient, buyer: Buyer) -> Payment:
    return pay(client, buyer)


def refund(client: stripe.StripeClient, **params: Any) -> stripe.Refund:
    values: Any = params
    return client.v1.refunds.create(params=values)


def refunded(client: stripe.StripeClient, payment: Payment) -> tuple[int, bool]:
    charge = client.v1.charges.retrieve(payment.charge)
    return charge.amount_refunded, charge.refunded


@pytest.mark.parametrize("by", ["charge", "intent"])
def test_the_whole_charge(client: stripe.StripeClient, payment: Payment, by: str) -> None:
    named = {"charge": payment.charge} if by == "charge" else {"payment_intent": payment.intent}
    made = refund(client, **named, reason="requested_by_customer", metadata={"by": "ada"})
    assert (made.amount, made.currency, made.status) == (2000, "usd", "succeeded")
    assert (made.charge, made.payment_intent) == (payment.charge, payment.intent)
    assert made.reason == "requested_by_customer"
    assert refunded(client, payment) == (2000, True)
    assert client.v1.refunds.retrieve(made.id).amount == 2000
    assert event_types(client)[-2:] == ["refund.created", "charge.refunded"]
    created = last_event(client, "refund.created")["object"]
    assert (created["id"], created["metadata"]) == (made.id, {"by": "ada"})


def test_parts_add_up_to_the_amount(client: stripe.StripeClient, payment: Payment) -> None:
    for amount, cumulative, before in ((500, 500, 0), (700, 1200, 500), (800, 2000, 1200)):
        refund(client, charge=payment.charge, amount=amount)
        told = last_event(client, "charge.refunded")
        assert told["object"]["amount_refunded"] == cumulative
        assert told["previous_attributes"]["amount_refunded"] == before
    assert refunded(client, payment) == (2000, True)
    assert told["previous_attributes"] == {"amount_refunded": 1200, "refunded": False}
    listed = client.v1.refunds.list(params={"charge": payment.charge})
    assert [each.amount for each in listed.data] == [800, 700, 500]


def test_the_rest_after_a_part(client: stripe.StripeClient, payment: Payment) -> None:
    refund(client, charge=payment.charge, amount=1)
    assert refunded(client, payment) == (1, False)
    assert refund(client, charge=payment.charge).amount == 1999


def test_no_more_than_what_is_left(client: stripe.StripeClient, payment: Payment) -> None:
    refund(client, charge=payment.charge, amount=1500)
    with pytest.raises(stripe.InvalidRequestError, match=r"\$6\.00.*unrefunded.*\$5\.00") as caught:
        refund(client, charge=payment.charge, amount=600)
    assert caught.value.param == "amount"
    refund(client, charge=payment.charge)
    with pytest.raises(stripe.InvalidRequestError, match="already been refunded") as caught:
        refund(client, charge=payment.charge, amount=1)
    assert caught.value.code == "charge_already_refunded"
    assert refunded(client, payment) == (2000, True)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "payment_intent or charge"),
        ({"charge": "ch_nothing"}, "No such charge"),
        ({"payment_intent": "pi_nothing"}, "No such payment_intent"),
        ({"charge": "ch_nothing", "amount": 0}, "greater than or equal to 1"),
        ({"charge": "ch_nothing", "reason": "whim"}, "Invalid reason"),
    ],
)
def test_what_is_refused(client: stripe.StripeClient, params: Any, message: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message):
        refund(client, **params)


def test_only_successful_charges(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    with pytest.raises(stripe.CardError) as caught:
        confirm(client, intent.id, "pm_card_visa_chargeDeclined")
    assert caught.value.error is not None
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        refund(client, payment_intent=intent.id)
    with pytest.raises(stripe.InvalidRequestError, match="successful charge"):
        refund(client, charge=caught.value.error.charge)


def test_a_refund_under_a_key_is_made_once(client: stripe.StripeClient, payment: Payment) -> None:
    made = [
        client.v1.refunds.create(
            params={"charge": payment.charge, "amount": 500}, options={"idempotency_key": "r1"}
        ).id
        for _ in range(2)
    ]
    assert made[0] == made[1]
    assert refunded(client, payment) == (500, False)


def test_a_refund_fails_days_after_it_succeeded(
    client: stripe.StripeClient, control: SandboxControl, payment: Payment
) -> None:
    kept = refund(client, charge=payment.charge, amount=500)
    lost = refund(client, charge=payment.charge, amount=1500)

    control.settle_refund(lost.id, "fail", failure_reason="lost_or_stolen_card")

    failed = client.v1.refunds.retrieve(lost.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert client.v1.refunds.retrieve(kept.id).status == "succeeded"
    assert refunded(client, payment) == (500, False)
    assert event_types(client)[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    told = last_event(client, "refund.failed")["object"]
    assert (told["object"], told["id"], told["amount"]) == ("refund", lost.id, 1500)
    assert (told["status"], told["charge"]) == ("failed", payment.charge)
    updated = last_event(client, "refund.updated")
    assert updated["previous_attributes"] == {"status": "succeeded", "failure_reason": None}

    assert refund(client, charge=payment.charge).amount == 1500  # there is that much again
    assert last_event(client, "charge.refunded")["object"]["amount_refunded"] == 2000


def test_a_failed_refund_has_ended(
    client: stripe.StripeClient, control: SandboxControl, payment: Payment
) -> None:
    made = refund(client, charge=payment.charge)
    with pytest.raises(SandboxControlError, match="status is succeeded"):
        control.settle_refund(made.id, "succeed")
    control.settle_refund(made.id, "fail")
    with pytest.raises(SandboxControlError, match="status is failed"):
        control.settle_refund(made.id, "fail")
    assert refunded(client, payment) == (0, False)


@pytest.mark.parametrize(
    ("outcome", "status", "amount_refunded"),
    [("succeed", "succeeded", 2000), ("fail", "failed", 0)],
)
def test_a_card_whose_refunds_stay_pending(
    client: stripe.StripeClient,
    control: SandboxControl,
    outcome: str,
    status: str,
    amount_refunded: int,
) -> None:
    made = control.create_customer(card="pm_card_pendingRefund")
    payment = pay(client, Buyer(made["customer"]["id"], made["payment_method"]["id"]))
    pending = refund(client, charge=payment.charge)
    assert (pending.status, pending.pending_reason) == ("pending", "processing")
    assert refunded(client, payment) == (2000, True)

    control.settle_refund(pending.id, outcome)

    assert client.v1.refunds.retrieve(pending.id).status == status
    assert refunded(client, payment)[0] == amount_refunded
    assert last_event(client, "refund.updated")["previous_attributes"]["status"] == "pending"
    assert ("refund.failed" in event_types(client)) is (status == "failed")


def test_refunds_expand_and_are_typed(client: stripe.StripeClient, payment: Payment) -> None:
    made = refund(client, charge=payment.charge, amount=500, expand=["charge"])
    assert isinstance(made.charge, stripe.Charge)
    assert made.charge.amount_refunded == 500
    plain = client.v1.refunds.retrieve(made.id)
    assert set(plain.to_dict()) <= set(stripe.Refund.__annotations__)


def test_its_events_are_delivered_and_reordered_like_all_others(
    client: stripe.StripeClient, control: SandboxControl, payment: Payment, endpoint: Endpoint
) -> None:
    control.configure_webhooks(mode="hold", copies=2)
    refund(client, charge=payment.charge, amount=500)
    held = [delivery["type"] for delivery in control.webhooks()]
    assert held == ["refund.created"] * 2 + ["charge.refunded"] * 2
    control.release_webhooks(order="reversed")
    first = endpoint.wait_for(4)[0]
    assert b'"type": "charge.refunded"' in first.body
