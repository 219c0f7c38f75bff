"""Saving a card without charging it."""

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent, event_types


def test_a_card_is_saved_to_the_customer(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = client.v1.setup_intents.create(
        params={"customer": buyer.customer, "allowed_payment_method_types": ["card"]}
    )
    assert intent.status == "requires_payment_method"

    done = client.v1.setup_intents.confirm(
        intent.id, params={"payment_method": "pm_card_mastercard"}
    )

    assert (done.status, done.usage) == ("succeeded", "off_session")
    saved = client.v1.payment_methods.retrieve(str(done.payment_method))
    assert saved.customer == buyer.customer
    assert event_types(client)[-3:] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    assert client.v1.setup_intents.retrieve(intent.id).status == "succeeded"


def test_create_and_confirm_in_one_call(client: stripe.StripeClient, buyer: Buyer) -> None:
    done = client.v1.setup_intents.create(
        params={"customer": buyer.customer, "payment_method": "pm_card_visa", "confirm": True}
    )
    assert done.status == "succeeded"


def test_a_declined_card_is_not_saved(client: stripe.StripeClient, buyer: Buyer) -> None:
    with pytest.raises(stripe.CardError) as caught:
        client.v1.setup_intents.create(
            params={
                "customer": buyer.customer,
                "payment_method": "pm_card_visa_chargeDeclined",
                "confirm": True,
            }
        )
    error = caught.value.error
    assert error is not None
    assert error.setup_intent is not None
    failed = client.v1.setup_intents.retrieve(error.setup_intent.id)
    assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
    assert failed.last_setup_error is not None
    assert failed.last_setup_error.decline_code == "generic_decline"
    assert event_types(client)[-1] == "setup_intent.setup_failed"


def test_a_card_authenticated_at_setup_can_be_charged_off_session(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    waiting = client.v1.setup_intents.create(
        params={
            "customer": buyer.customer,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
        }
    )
    assert waiting.status == "requires_action"

    control.settle_setup(waiting.id, "succeed")

    done = client.v1.setup_intents.retrieve(waiting.id)
    assert done.status == "succeeded"
    paid = confirm(client, create_intent(client, buyer.customer).id, str(done.payment_method))
    assert paid.status == "succeeded"


def test_a_challenge_that_isnt_passed(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    waiting = client.v1.setup_intents.create(
        params={
            "customer": buyer.customer,
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
        }
    )
    control.settle_setup(waiting.id, "decline")
    failed = client.v1.setup_intents.retrieve(waiting.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_setup_error is not None
    assert failed.last_setup_error.code == "setup_intent_authentication_failure"


def test_what_cant_be_confirmed(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = client.v1.setup_intents.create(params={"customer": buyer.customer})
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as caught:
        client.v1.setup_intents.confirm(intent.id)
    assert caught.value.code == "setup_intent_unexpected_state"
    client.v1.setup_intents.confirm(intent.id, params={"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError, match="already succeeded"):
        client.v1.setup_intents.confirm(intent.id, params={"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError, match="No such setupintent"):
        client.v1.setup_intents.retrieve("seti_nothing")
