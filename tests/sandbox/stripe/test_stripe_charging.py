"""Confirming PaymentIntents: cards that work, cards that don't, and never two charges."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from gatekeeper.sandbox.stripe import DECLINE_CODES, SandboxControl, SandboxStripe
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, connect, create_intent, event_types


def test_an_off_session_charge_succeeds(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer, metadata={"topoff": "t1"})
    assert (intent.status, intent.amount_received) == ("requires_payment_method", 0)

    paid = confirm(client, intent.id, buyer.card)

    assert (paid.status, paid.amount_received) == ("succeeded", 2000)
    assert paid.metadata.to_dict() == {"topoff": "t1"}
    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert charge.payment_method_details is not None
    card = charge.payment_method_details.card
    assert card is not None
    assert (card.brand, card.last4, card.exp_month) == ("visa", "4242", 12)
    assert (charge.paid, charge.captured, charge.amount) == (True, True, 2000)
    assert event_types(client)[-3:] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242424242424242", "visa"),
        ("4000056655665556", "visa"),
        ("5555555555554444", "mastercard"),
        ("378282246310005", "amex"),
        ("6011111111111117", "discover"),
        ("3056930009020004", "diners"),
        ("3566002020360505", "jcb"),
        ("6200000000000005", "unionpay"),
    ],
)
def test_cards_by_number(
    client: stripe.StripeClient, control: SandboxControl, number: str, brand: str
) -> None:
    customer = control.create_customer()["customer"]["id"]
    card = client.v1.payment_methods.create(
        params={
            "type": "card",
            "card": {"number": number, "exp_month": 5, "exp_year": 2032, "cvc": "123"},
        }
    )
    client.v1.payment_methods.attach(card.id, params={"customer": customer})

    paid = confirm(client, create_intent(client, customer).id, card.id)

    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert charge.payment_method_details is not None
    details = charge.payment_method_details.card
    assert details is not None
    assert (details.brand, details.last4, details.exp_year) == (brand, number[-4:], 2032)


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        (
            "pm_card_visa_chargeDeclinedInsufficientFunds",
            "card_declined",
            "insufficient_funds",
        ),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
        (
            "pm_card_visa_chargeDeclinedVelocityLimitExceeded",
            "card_declined",
            "card_velocity_exceeded",
        ),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
def test_stripes_decline_cards(
    client: stripe.StripeClient, buyer: Buyer, card: str, code: str, decline_code: str | None
) -> None:
    intent = create_intent(client, buyer.customer)
    with pytest.raises(stripe.CardError) as caught:
        confirm(client, intent.id, card)
    error = caught.value.error
    assert error is not None
    assert (error.code, error.decline_code) == (code, decline_code)


def test_what_a_decline_says_and_leaves_behind(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    created = control.create_customer(card="pm_card_chargeCustomerFail")
    customer, card = created["customer"]["id"], created["payment_method"]["id"]
    intent = create_intent(client, customer)

    with pytest.raises(stripe.CardError) as caught:
        confirm(client, intent.id, card)

    assert caught.value.http_status == 402
    assert caught.value.headers is not None
    assert caught.value.headers["Stripe-Should-Retry"] == "false"
    error = caught.value.error
    assert error is not None
    assert error.message == "Your card was declined."
    assert (error.decline_code, error.advice_code) == ("generic_decline", "try_again_later")
    assert error.payment_intent is not None
    assert error.payment_intent.id == intent.id
    assert error.payment_method is not None
    assert error.payment_method.id == card

    after = client.v1.payment_intents.retrieve(intent.id)
    assert (after.status, after.payment_method) == ("requires_payment_method", None)
    assert after.last_payment_error is not None
    assert after.last_payment_error.decline_code == "generic_decline"
    assert after.last_payment_error.charge == error.charge == after.latest_charge
    charge = client.v1.charges.retrieve(str(error.charge))
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, "card_declined")
    assert charge.outcome is not None
    assert charge.outcome.type == "issuer_declined"
    assert event_types(client)[-2:] == ["charge.failed", "payment_intent.payment_failed"]


def test_a_declined_intent_can_be_paid_with_another_card(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    with pytest.raises(stripe.CardError):
        confirm(client, intent.id, "pm_card_visa_chargeDeclined")

    paid = confirm(client, intent.id, buyer.card)

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert len(client.v1.charges.list(params={"payment_intent": intent.id}).data) == 2


@pytest.mark.parametrize("decline_code", DECLINE_CODES)
def test_any_documented_decline(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, decline_code: str
) -> None:
    control.set_outcome(
        buyer.card, "decline", decline_code=decline_code, advice_code="confirm_card_data"
    )
    with pytest.raises(stripe.CardError) as caught:
        confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    error = caught.value.error
    assert error is not None
    assert (error.decline_code, error.advice_code) == (decline_code, "confirm_card_data")
    assert error.code in {"card_declined", decline_code}


def test_a_decline_without_advice(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    control.set_outcome(buyer.card, "decline", decline_code="lost_card", advice_code=None)
    with pytest.raises(stripe.CardError) as caught:
        confirm(client, create_intent(client, buyer.customer).id, buyer.card)
    error = caught.value.error
    assert error is not None
    assert (error.decline_code, error.advice_code) == ("lost_card", None)


def test_the_documented_list_is_whole() -> None:
    assert len(DECLINE_CODES) == len(set(DECLINE_CODES)) == 50


def test_a_card_can_be_made_good_again(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    control.set_outcome(buyer.card, "decline", decline_code="insufficient_funds")
    with pytest.raises(stripe.CardError, match="insufficient funds"):
        confirm(client, create_intent(client, buyer.customer).id, buyer.card)

    control.set_outcome(buyer.card, "succeed")

    assert confirm(client, create_intent(client, buyer.customer).id, buyer.card).amount == 2000


@pytest.mark.parametrize(
    "card", ["pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup"]
)
def test_authentication_cant_be_had_off_session(
    client: stripe.StripeClient, buyer: Buyer, card: str
) -> None:
    attached = client.v1.payment_methods.attach(card, params={"customer": buyer.customer})
    intent = create_intent(client, buyer.customer)

    with pytest.raises(stripe.CardError) as caught:
        confirm(client, intent.id, attached.id)

    error = caught.value.error
    assert error is not None
    assert error.code == error.decline_code == "authentication_required"
    assert error.charge is None
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert event_types(client)[-1] == "payment_intent.payment_failed"


def test_authentication_on_session(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    first, second = (create_intent(client, buyer.customer).id for _ in range(2))
    for intent in (first, second):
        waiting = confirm(client, intent, "pm_card_threeDSecure2Required", off_session=False)
        assert (waiting.status, waiting.latest_charge) == ("requires_action", None)
    assert event_types(client)[-1] == "payment_intent.requires_action"

    control.settle_payment(first, "succeed")
    control.settle_payment(second, "decline")

    assert client.v1.payment_intents.retrieve(first).status == "succeeded"
    failed = client.v1.payment_intents.retrieve(second)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"


def test_a_card_that_declines_after_authentication(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer).id
    card = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    confirm(client, intent, card, off_session=False)

    control.settle_payment(intent, "succeed")

    after = client.v1.payment_intents.retrieve(intent)
    assert after.last_payment_error is not None
    assert after.last_payment_error.decline_code == "insufficient_funds"


def test_a_card_already_set_up_elsewhere_works_off_session(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    card = "pm_card_authenticationRequiredSetupForOffSession"
    paid = confirm(client, create_intent(client, buyer.customer).id, card)
    assert paid.status == "succeeded"


def test_processing_ends_either_way(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    control.set_outcome(buyer.card, "processing")
    first, second = (create_intent(client, buyer.customer).id for _ in range(2))
    for intent in (first, second):
        assert confirm(client, intent, buyer.card).status == "processing"
    assert event_types(client)[-1] == "payment_intent.processing"
    assert control.charges()["pending"] == 2
    with pytest.raises(stripe.InvalidRequestError, match="status of processing"):
        confirm(client, first, buyer.card)

    control.settle_payment(first, "succeed")
    control.settle_payment(second, "decline", decline_code="do_not_honor")

    assert client.v1.payment_intents.retrieve(first).amount_received == 2000
    failed = client.v1.payment_intents.retrieve(second)
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.decline_code == "do_not_honor"
    assert control.charges()["customers"][buyer.customer] == {
        "succeeded": 1,
        "succeeded_minor": 2000,
        "failed": 1,
        "pending": 0,
    }


def test_twenty_confirmations_at_once_charge_once(
    sandbox: SandboxStripe, client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer).id

    def attempt(number: int) -> str:
        try:
            return confirm(
                connect(sandbox.base_url), intent, buyer.card, key=f"confirm-{number}"
            ).status
        except stripe.InvalidRequestError as error:
            return str(error.code)

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(attempt, range(20)))

    assert results.count("succeeded") == 1
    assert results.count("payment_intent_unexpected_state") == 19
    assert control.charges()["succeeded"] == 1


def test_a_paid_intent_cant_be_paid_again(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    confirm(client, intent.id, buyer.card)
    with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as caught:
        confirm(client, intent.id, buyer.card)
    assert (caught.value.http_status, caught.value.code) == (400, "payment_intent_unexpected_state")
    error = caught.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert error.payment_intent.status == "succeeded"


def test_without_a_payment_method_the_customers_default_is_not_used(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as caught:
        client.v1.payment_intents.confirm(intent.id, params={"off_session": True})
    assert caught.value.code == "payment_intent_unexpected_state"


def test_a_detached_card_cant_be_charged(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    client.v1.payment_methods.detach(buyer.card)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again") as caught:
        confirm(client, intent.id, buyer.card)
    assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")
    assert caught.value.param == "payment_method"
    assert client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_an_unknown_card_cant_be_charged(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer)
    with pytest.raises(stripe.InvalidRequestError, match="No such PaymentMethod") as caught:
        confirm(client, intent.id, "pm_nothing")
    assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")


def test_another_customers_card_cant_be_charged(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    stranger = control.create_customer()["customer"]["id"]
    with pytest.raises(stripe.InvalidRequestError, match="does not belong to the Customer"):
        confirm(client, create_intent(client, stranger).id, buyer.card)
    without = create_intent(client, None)
    with pytest.raises(stripe.InvalidRequestError, match="include the Customer"):
        confirm(client, without.id, buyer.card)


def test_a_card_that_belongs_to_nobody_can_be_charged_once(client: stripe.StripeClient) -> None:
    card = client.v1.payment_methods.create(params={"type": "card", "card": {"token": "tok_visa"}})
    first, second = (create_intent(client, None) for _ in range(2))
    confirm(client, first.id, card.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        confirm(client, second.id, card.id)


def test_setup_future_usage_keeps_the_card(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    customer = control.create_customer()["customer"]["id"]
    intent = create_intent(client, customer, setup_future_usage="off_session")
    confirm(client, intent.id, "pm_card_mastercard", off_session=False)
    kept = client.v1.payment_methods.list(params={"customer": customer, "type": "card"})
    assert [card.card.last4 for card in kept.data if card.card] == ["4444"]


def test_automatic_payment_methods_need_a_return_url(
    client: stripe.StripeClient, buyer: Buyer
) -> None:
    intent = client.v1.payment_intents.create(
        params={"amount": 500, "currency": "usd", "customer": buyer.customer}
    )
    with pytest.raises(stripe.InvalidRequestError, match="return_url"):
        confirm(client, intent.id, buyer.card)
    paid = confirm(client, intent.id, buyer.card, return_url="http://localhost/back")
    assert paid.status == "succeeded"


def test_settling_what_has_nothing_to_settle(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    intent = create_intent(client, buyer.customer)
    with pytest.raises(Exception, match="nothing to settle"):
        control.settle_payment(intent.id, "succeed")
