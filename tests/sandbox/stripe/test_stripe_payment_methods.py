"""Cards that change while they are on file."""

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from gatekeeper.sandbox.stripe.client import SandboxControlError
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent, event_types, last_event


def expiry_of(client: stripe.StripeClient, payment_method: str) -> tuple[int, int, str]:
    card = client.v1.payment_methods.retrieve(payment_method).card
    assert card is not None
    return card.exp_month, card.exp_year, str(card.last4)


def test_what_a_merchant_may_change(client: stripe.StripeClient, buyer: Buyer) -> None:
    client.v1.payment_methods.update(
        buyer.card, {"card": {"exp_month": 3, "exp_year": 2040}, "allow_redisplay": "always"}
    )
    assert expiry_of(client, buyer.card) == (3, 2040, "4242")
    told = last_event(client, "payment_method.updated")
    assert told["object"]["customer"] == buyer.customer
    assert told["previous_attributes"] == {
        "allow_redisplay": "unspecified",
        "card": {"exp_month": 12, "exp_year": 2034},
    }


def test_nobodys_card_is_not_changed(client: stripe.StripeClient, buyer: Buyer) -> None:
    client.v1.payment_methods.detach(buyer.card)
    with pytest.raises(stripe.InvalidRequestError, match="must save this PaymentMethod"):
        client.v1.payment_methods.update(buyer.card, {"metadata": {"a": "b"}})


@pytest.mark.parametrize("last4", [None, "1881"])
def test_a_card_that_its_bank_reissued(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, last4: str | None
) -> None:
    control.reissue_card(buyer.card, exp_month=1, exp_year=2039, last4=last4)
    assert expiry_of(client, buyer.card) == (1, 2039, last4 or "4242")
    told = last_event(client, "payment_method.automatically_updated")
    before = told["previous_attributes"]["card"]
    assert (before["exp_month"], before["exp_year"]) == (12, 2034)
    assert ("last4" in before, "fingerprint" in before) == (last4 is not None,) * 2
    intent = create_intent(client, buyer.customer)
    assert confirm(client, intent.id, buyer.card).status == "succeeded"


def test_the_card_of_a_deleted_customer_is_reissued_too(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    client.v1.customers.delete(buyer.customer)
    control.reissue_card(buyer.card, exp_month=1, exp_year=2039)
    assert event_types(client)[-1] == "payment_method.automatically_updated"


def test_no_card_is_reissued_with_an_impossible_expiry(
    control: SandboxControl, buyer: Buyer
) -> None:
    with pytest.raises(SandboxControlError, match="exp_month"):
        control.reissue_card(buyer.card, exp_month=13, exp_year=2039)
