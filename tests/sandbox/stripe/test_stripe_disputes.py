"""Disputes: opened, won, lost, inquiries, and what they do to refunds."""

from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from gatekeeper.sandbox.stripe.client import SandboxControlError
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent, event_types


@pytest.fixture
def charge(client: stripe.StripeClient, buyer: Buyer) -> str:
    """A payment of 20 dollars."""
    paid = confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    return str(paid.latest_charge)


def told(client: stripe.StripeClient, type_: str) -> dict[str, Any]:
    """Return what the latest event of a type carries."""
    event = client.v1.events.list(params={"type": f"charge.dispute.{type_}"}).data[0]
    body: dict[str, Any] = event.to_dict()["data"]["object"]
    return body


def moved_minor(body: dict[str, Any]) -> list[int]:
    return [each["amount"] for each in body["balance_transactions"]]


def test_opening_withdraws_the_money(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    id_ = control.open_dispute(charge)
    dispute = client.v1.disputes.retrieve(id_)
    assert (dispute.amount, dispute.currency, dispute.charge) == (2000, "usd", charge)
    assert (dispute.status, dispute.reason) == ("needs_response", "fraudulent")
    assert dispute.payment_intent == client.v1.charges.retrieve(charge).payment_intent
    assert event_types(client)[-2:] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]
    assert told(client, "created")["id"] == id_
    assert moved_minor(told(client, "created")) == []
    assert moved_minor(told(client, "funds_withdrawn")) == [-2000]
    disputed = client.v1.charges.retrieve(charge)
    assert (disputed.disputed, disputed.amount_refunded) == (True, 0)


def test_winning_reinstates_it(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    id_ = control.open_dispute(charge, reason="product_not_received")
    control.close_dispute(id_, "won")
    assert event_types(client)[-2:] == [
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    assert told(client, "closed")["status"] == "won"
    assert moved_minor(told(client, "funds_reinstated")) == [-2000, 2000]
    dispute = client.v1.disputes.retrieve(id_)
    assert (dispute.status, dispute.reason) == ("won", "product_not_received")


def test_losing_reinstates_nothing(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    control.close_dispute(control.open_dispute(charge), "lost")
    assert event_types(client)[-1] == "charge.dispute.closed"
    assert told(client, "closed")["status"] == "lost"
    assert moved_minor(told(client, "closed")) == [-2000]


def test_a_part_of_a_charge(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    control.open_dispute(charge, 700)
    assert (told(client, "created")["amount"], moved_minor(told(client, "funds_withdrawn"))) == (
        700,
        [-700],
    )


def test_what_is_left_after_a_refund(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    client.v1.refunds.create(params={"charge": charge, "amount": 500})
    control.open_dispute(charge)
    assert told(client, "created")["amount"] == 1500


def test_an_inquiry_takes_nothing(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    id_ = control.open_dispute(charge, inquiry=True)
    assert told(client, "created")["status"] == "warning_needs_response"
    assert client.v1.refunds.create(params={"charge": charge, "amount": 1}).status == "succeeded"
    with pytest.raises(SandboxControlError, match="can't become lost"):
        control.close_dispute(id_, "lost")
    control.close_dispute(id_, "warning_closed")
    assert told(client, "closed")["status"] == "warning_closed"
    assert [type_ for type_ in event_types(client) if "funds" in type_] == []


def test_what_was_charged_back_cant_be_refunded(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    id_ = control.open_dispute(charge, 700)
    with pytest.raises(stripe.InvalidRequestError, match="has been charged back") as caught:
        client.v1.refunds.create(params={"charge": charge})
    assert caught.value.code == "charge_disputed"
    control.close_dispute(id_, "won")
    assert client.v1.refunds.create(params={"charge": charge}).amount == 2000


def test_what_cant_be_disputed(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, charge: str
) -> None:
    with pytest.raises(SandboxControlError, match="No such charge"):
        control.open_dispute("ch_nothing")
    with pytest.raises(SandboxControlError, match="no such amount"):
        control.open_dispute(charge, 2001)
    control.open_dispute(charge)
    with pytest.raises(SandboxControlError, match="disputed already"):
        control.open_dispute(charge)
    paid = confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    client.v1.refunds.create(params={"payment_intent": paid.id})
    with pytest.raises(SandboxControlError, match="no such amount"):
        control.open_dispute(str(paid.latest_charge))


def test_a_dispute_ends_once(
    client: stripe.StripeClient, control: SandboxControl, charge: str
) -> None:
    id_ = control.open_dispute(charge)
    control.close_dispute(id_, "won")
    with pytest.raises(SandboxControlError, match="status is won"):
        control.close_dispute(id_, "lost")
    with pytest.raises(SandboxControlError, match="outcome"):
        control.close_dispute(id_, "forgotten")


def test_disputes_are_listed_and_typed(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, charge: str
) -> None:
    paid = confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    first = control.open_dispute(charge)
    second = control.open_dispute(str(paid.latest_charge))
    assert [each.id for each in client.v1.disputes.list().data] == [second, first]
    (found,) = client.v1.disputes.list(params={"payment_intent": paid.id}).data
    assert found.id == second
    assert set(found.to_dict()) <= set(stripe.Dispute.__annotations__)
    expanded = client.v1.disputes.retrieve(second, params={"expand": ["charge"]})
    assert isinstance(expanded.charge, stripe.Charge)
    with pytest.raises(stripe.InvalidRequestError, match="No such dispute"):
        client.v1.disputes.retrieve("du_nothing")
