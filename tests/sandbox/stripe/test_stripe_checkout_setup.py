"""Checkout in setup mode: a person saves a card without paying."""

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, pay_checkout
from tests.sandbox.stripe.checking_out import (
    AUTHENTICATES_ONCE,
    DECLINED,
    DECLINED_LATER,
    SHOP,
    open_setup,
    url_of,
)
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent, event_types


def intent_of(client: stripe.StripeClient, session: stripe.checkout.Session) -> stripe.SetupIntent:
    found = client.v1.checkout.sessions.retrieve(
        session.id, params={"expand": ["setup_intent.payment_method"]}
    )
    assert isinstance(found.setup_intent, stripe.SetupIntent)
    return found.setup_intent


def test_a_card_is_saved(client: stripe.StripeClient, buyer: Buyer) -> None:
    session = open_setup(
        client,
        customer=buyer.customer,
        metadata={"account": "7"},
        setup_intent_data={"metadata": {"account": "7"}, "description": "top-offs"},
    )
    assert (session.payment_status, session.amount_total) == ("no_payment_required", None)
    assert intent_of(client, session).status == "requires_payment_method"

    visit = pay_checkout(url_of(session), card="5555 5555 5555 4444")

    assert visit.location == f"{SHOP}?session={session.id}"
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status) == ("complete", "no_payment_required")
    intent = intent_of(client, session)
    assert (intent.status, intent.usage, intent.description) == (
        "succeeded",
        "off_session",
        "top-offs",
    )
    assert intent.metadata is not None
    assert intent.metadata.to_dict() == {"account": "7"}
    card = intent.payment_method
    assert isinstance(card, stripe.PaymentMethod)
    assert (card.customer, card.allow_redisplay) == (buyer.customer, "always")
    assert card.card is not None
    assert (card.card.last4, card.card.exp_month, card.card.exp_year) == ("4444", 12, 2034)
    assert event_types(client)[-4:] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]
    assert client.v1.charges.list().data == []


def test_the_default_card_stays_what_it_was(client: stripe.StripeClient, buyer: Buyer) -> None:
    pay_checkout(url_of(open_setup(client, customer=buyer.customer)))
    settings = client.v1.customers.retrieve(buyer.customer).invoice_settings
    assert settings is not None
    assert settings.default_payment_method == buyer.card


def test_a_declined_card_leaves_the_session_open(client: stripe.StripeClient, buyer: Buyer) -> None:
    session = open_setup(client, customer=buyer.customer)
    visit = pay_checkout(url_of(session), card=DECLINED)
    assert (visit.status, visit.location) == (402, None)
    assert "Your card was declined." in visit.page
    assert event_types(client)[-1] == "setup_intent.setup_failed"

    assert pay_checkout(url_of(session), card=DECLINED_LATER).status == 303
    card = intent_of(client, session).payment_method
    assert isinstance(card, stripe.PaymentMethod)
    with pytest.raises(stripe.CardError):
        confirm(client, create_intent(client, buyer.customer).id, card.id)


@pytest.mark.parametrize(("passed", "status"), [(True, "complete"), (False, "open")])
def test_a_challenge(client: stripe.StripeClient, buyer: Buyer, passed: bool, status: str) -> None:
    session = open_setup(client, customer=buyer.customer)
    visit = pay_checkout(url_of(session), card=AUTHENTICATES_ONCE, authenticate=passed)
    assert (visit.location is not None) is passed
    assert client.v1.checkout.sessions.retrieve(session.id).status == status
    if passed:
        card = intent_of(client, session).payment_method
        assert isinstance(card, stripe.PaymentMethod)
        charged = confirm(client, create_intent(client, buyer.customer).id, card.id)
        assert charged.status == "succeeded"


def test_a_customer_is_created_when_asked_for(client: stripe.StripeClient) -> None:
    session = open_setup(client, customer_creation="always")
    pay_checkout(url_of(session), email="bo@example.com")
    [customer] = client.v1.customers.list().data
    assert customer.email == "bo@example.com"
    intent = intent_of(client, session)
    assert intent.customer == customer.id
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    assert intent.payment_method.customer == customer.id


def test_an_expired_session_cancels_its_intent(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    session = open_setup(client, customer=buyer.customer)
    control.expire_checkout(session.id)
    intent = intent_of(client, session)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "abandoned")
    assert event_types(client)[-2:] == ["setup_intent.canceled", "checkout.session.expired"]
