"""Customers and their cards."""

from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent, event_types, last_event


def test_create_retrieve_update_and_list(client: stripe.StripeClient) -> None:
    ada = client.v1.customers.create(
        params={"email": "ada@example.com", "name": "Ada", "metadata": {"account": "a1"}}
    )
    client.v1.customers.create(params={"email": "bob@example.com"})

    client.v1.customers.update(ada.id, params={"name": "Ada L.", "metadata": {"plan": "pro"}})

    found = client.v1.customers.retrieve(ada.id)
    assert (found.name, found.email) == ("Ada L.", "ada@example.com")
    assert found.metadata is not None
    assert found.metadata.to_dict() == {"account": "a1", "plan": "pro"}
    listed = client.v1.customers.list(params={"email": "ada@example.com"})
    assert [customer.id for customer in listed.data] == [ada.id]
    assert event_types(client) == ["customer.created", "customer.created", "customer.updated"]


def test_an_update_event_says_what_changed(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create(params={"name": "Ada"})
    client.v1.customers.update(customer.id, params={"name": "Grace"})
    event = client.v1.events.list(params={"type": "customer.updated"}).data[0].to_dict()
    assert event["data"]["previous_attributes"] == {"name": "Ada"}
    assert event["data"]["object"]["name"] == "Grace"


def test_attach_a_test_card_and_make_it_the_default(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create()

    card = client.v1.payment_methods.attach("pm_card_visa", params={"customer": customer.id})
    client.v1.customers.update(
        customer.id, params={"invoice_settings": {"default_payment_method": card.id}}
    )

    assert card.id != "pm_card_visa"
    assert card.customer == customer.id
    found = client.v1.customers.retrieve(
        customer.id, params={"expand": ["invoice_settings.default_payment_method"]}
    )
    assert found.invoice_settings is not None
    default = found.invoice_settings.default_payment_method
    assert isinstance(default, stripe.PaymentMethod)
    assert default.card is not None
    assert default.card.last4 == "4242"


def test_the_default_can_be_unset(client: stripe.StripeClient, buyer: Buyer) -> None:
    client.v1.customers.update(
        buyer.customer, params={"invoice_settings": {"default_payment_method": ""}}
    )
    found = client.v1.customers.retrieve(buyer.customer)
    assert found.invoice_settings is not None
    assert found.invoice_settings.default_payment_method is None


def test_the_default_must_be_the_customers_own(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    stranger = control.create_customer()["customer"]["id"]
    with pytest.raises(stripe.InvalidRequestError, match="must be attached") as caught:
        client.v1.customers.update(
            stranger, params={"invoice_settings": {"default_payment_method": buyer.card}}
        )
    assert caught.value.param == "invoice_settings[default_payment_method]"


def test_detaching_is_for_good(client: stripe.StripeClient, buyer: Buyer) -> None:
    detached = client.v1.payment_methods.detach(buyer.card)
    assert detached.customer is None
    assert client.v1.payment_methods.retrieve(buyer.card).customer is None
    found = client.v1.customers.retrieve(buyer.customer)
    assert found.invoice_settings is not None
    assert found.invoice_settings.default_payment_method is None
    told = last_event(client, "payment_method.detached")
    assert told["object"]["customer"] is None
    assert told["previous_attributes"] == {"customer": buyer.customer}

    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(buyer.card, params={"customer": buyer.customer})
    with pytest.raises(stripe.InvalidRequestError, match="detachment is impossible"):
        client.v1.payment_methods.detach(buyer.card)


def test_a_card_is_attached_once(client: stripe.StripeClient, buyer: Buyer) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(buyer.card, params={"customer": buyer.customer})


def test_cards_are_listed_by_customer(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    control.create_customer(card="pm_card_amex")
    second = client.v1.payment_methods.attach(
        "pm_card_mastercard", params={"customer": buyer.customer}
    )
    for cards in (
        client.v1.payment_methods.list(params={"customer": buyer.customer, "type": "card"}),
        client.v1.customers.payment_methods.list(buyer.customer, params={"limit": 5}),
    ):
        assert [card.id for card in cards.data] == [second.id, buyer.card]


@pytest.mark.parametrize(
    ("card", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ],
)
def test_decline_cards_cant_be_attached(
    client: stripe.StripeClient, buyer: Buyer, card: str, decline_code: str
) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_methods.attach(card, params={"customer": buyer.customer})
    error = caught.value.error
    assert error is not None
    assert error.decline_code == decline_code


def test_the_card_that_declines_after_attaching(client: stripe.StripeClient, buyer: Buyer) -> None:
    card = client.v1.payment_methods.attach(
        "pm_card_chargeCustomerFail", params={"customer": buyer.customer}
    )
    assert card.card is not None
    assert card.card.last4 == "0341"
    with pytest.raises(stripe.CardError):
        confirm(client, create_intent(client, buyer.customer).id, card.id)


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"number": "4929000000006"}, "card_declined"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 1995}, "invalid_expiry_year"),
        ({"exp_year": 95}, "invalid_expiry_year"),
        ({"cvc": "99"}, "invalid_cvc"),
    ],
)
def test_card_details_that_are_wrong(
    client: stripe.StripeClient, details: dict[str, Any], code: str
) -> None:
    good = {"number": "4242424242424242", "exp_month": 5, "exp_year": 2032, "cvc": "123"}
    params: Any = {"type": "card", "card": {**good, **details}}
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_methods.create(params=params)
    error = caught.value.error
    assert error is not None
    assert (caught.value.http_status, error.code) == (402, code)


def test_a_token_that_doesnt_exist(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such token"):
        client.v1.payment_methods.create(params={"type": "card", "card": {"token": "tok_gold"}})


def test_a_deleted_customer_is_a_stub(client: stripe.StripeClient, buyer: Buyer) -> None:
    client.v1.customers.delete(buyer.customer)
    assert client.v1.customers.retrieve(buyer.customer).deleted
    assert client.v1.payment_methods.retrieve(buyer.card).customer is None
    assert event_types(client)[-1] == "customer.deleted"
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as caught:
        create_intent(client, buyer.customer)
    assert caught.value.code == "resource_missing"


def test_a_customer_that_doesnt_exist(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such customer") as caught:
        client.v1.customers.retrieve("cus_nobody")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_one_call_makes_a_customer_with_any_card(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    created = control.create_customer(
        card="4000 0000 0000 9995", email="ada@example.com", metadata={"account": "a1"}
    )
    customer = client.v1.customers.retrieve(created["customer"]["id"])
    assert customer.email == "ada@example.com"
    assert customer.invoice_settings is not None
    assert customer.invoice_settings.default_payment_method == created["payment_method"]["id"]
    with pytest.raises(stripe.CardError) as caught:
        confirm(client, create_intent(client, customer.id).id, created["payment_method"]["id"])
    error = caught.value.error
    assert error is not None
    assert error.decline_code == "insufficient_funds"


def test_one_call_makes_a_customer_whose_card_behaves(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    created = control.create_customer(
        card="tok_mastercard", outcome={"outcome": "decline", "decline_code": "do_not_honor"}
    )
    with pytest.raises(stripe.CardError) as caught:
        confirm(
            client,
            create_intent(client, created["customer"]["id"]).id,
            created["payment_method"]["id"],
        )
    error = caught.value.error
    assert error is not None
    assert error.decline_code == "do_not_honor"
