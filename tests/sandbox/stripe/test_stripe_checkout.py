"""Checkout in payment mode: a person buys something on the page."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, pay_checkout
from tests.sandbox.stripe.checking_out import (
    AUTHENTICATES,
    AUTHENTICATES_ONCE,
    DECLINED,
    SHOP,
    Page,
    item,
    open_checkout,
    url_of,
)
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.endpoint import Endpoint
from tests.sandbox.stripe.shop import confirm, create_intent, event_types

SAVE = {"payment_method_save": "enabled"}


def retrieve(client: stripe.StripeClient, id_: str) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.retrieve(
        id_, params={"expand": ["payment_intent.latest_charge", "payment_intent.payment_method"]}
    )


def paid_intent(session: stripe.checkout.Session) -> stripe.PaymentIntent:
    assert isinstance(session.payment_intent, stripe.PaymentIntent)
    return session.payment_intent


def saved_cards(client: stripe.StripeClient, customer: str) -> list[stripe.PaymentMethod]:
    return client.v1.customers.payment_methods.list(customer).data


@pytest.fixture
def customer(client: stripe.StripeClient) -> str:
    return client.v1.customers.create(params={"email": "ada@example.com"}).id


def test_paying_completes_the_session(client: stripe.StripeClient, customer: str) -> None:
    session = open_checkout(
        client,
        customer=customer,
        metadata={"purchase": "p1"},
        client_reference_id="acct_7",
        payment_intent_data={
            "metadata": {"account": "7"},
            "description": "500 credits",
            "receipt_email": "bills@example.com",
        },
    )
    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert session.payment_intent is None

    visit = pay_checkout(url_of(session))

    assert (visit.status, visit.location) == (303, f"{SHOP}?session={session.id}")
    done = retrieve(client, session.id)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert (done.amount_total, done.currency, done.customer) == (4500, "usd", customer)
    assert done.metadata is not None
    assert done.metadata.to_dict() == {"purchase": "p1"}
    assert done.client_reference_id == "acct_7"
    assert done.customer_details is not None
    assert done.customer_details.email == "ada@example.com"
    intent = paid_intent(done)
    assert (intent.status, intent.amount_received, intent.customer) == ("succeeded", 4500, customer)
    assert intent.metadata.to_dict() == {"account": "7"}
    assert (intent.description, intent.receipt_email) == ("500 credits", "bills@example.com")
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.metadata is not None
    assert intent.latest_charge.metadata.to_dict() == {"account": "7"}


def test_events_come_in_order(
    client: stripe.StripeClient, endpoint: Endpoint, control: SandboxControl
) -> None:
    session = open_checkout(
        client,
        customer_creation="always",
        payment_intent_data={"setup_future_usage": "off_session"},
    )
    pay_checkout(url_of(session))
    control.webhooks(wait_s=10)
    assert event_types(client) == [
        "product.created",
        "price.created",
        "customer.created",
        "payment_intent.created",
        "payment_method.attached",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    told = client.v1.events.list(params={"limit": 1}).data[0]
    assert told.data.object["id"] == session.id
    assert told.data.object["payment_status"] == "paid"


def test_the_webhook_can_come_before_the_browser_returns(
    client: stripe.StripeClient, endpoint: Endpoint, control: SandboxControl
) -> None:
    control.configure_webhooks(first=True)
    pay_checkout(url_of(open_checkout(client)))
    assert [each["state"] for each in control.webhooks()][-1] == "acknowledged"


def test_an_abandoned_session_leaves_no_payment(client: stripe.StripeClient, customer: str) -> None:
    open_checkout(client, customer=customer)
    assert client.v1.payment_intents.list().data == []
    assert client.v1.charges.list().data == []


def test_a_declined_card_leaves_the_session_open(
    client: stripe.StripeClient, customer: str
) -> None:
    session = open_checkout(client, customer=customer)

    visit = pay_checkout(url_of(session), card=DECLINED)

    assert (visit.status, visit.location) == (402, None)
    assert "Your card was declined." in visit.page
    tried = retrieve(client, session.id)
    assert (tried.status, tried.payment_status) == ("open", "unpaid")
    first = paid_intent(tried)
    assert first.status == "requires_payment_method"

    assert pay_checkout(url_of(session)).status == 303
    second = paid_intent(retrieve(client, session.id))
    assert (second.id, second.status) == (first.id, "succeeded")
    charges = client.v1.charges.list().data
    assert [(charge.status, charge.payment_intent) for charge in charges] == [
        ("succeeded", first.id),
        ("failed", first.id),
    ]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ("4000 0000 0000 9995", "Your card has insufficient funds."),
        ("4000 0000 0000 9987", "Your card was declined."),
        ("4000 0000 0000 0069", "Your card has expired."),
        ("4000 0000 0000 0127", "Your card&#39;s security code is incorrect."),
    ],
)
def test_the_page_says_why_a_card_is_declined(
    client: stripe.StripeClient, card: str, message: str
) -> None:
    visit = pay_checkout(url_of(open_checkout(client)), card=card)
    assert visit.status == 402
    assert message in visit.page


def test_a_challenge_that_is_passed(client: stripe.StripeClient, customer: str) -> None:
    session = open_checkout(client, customer=customer)
    visit = pay_checkout(url_of(session), card=AUTHENTICATES)
    assert visit.location == f"{SHOP}?session={session.id}"
    assert retrieve(client, session.id).payment_status == "paid"
    assert "payment_intent.requires_action" in event_types(client)


def test_a_challenge_that_is_failed_leaves_the_session_open(client: stripe.StripeClient) -> None:
    session = open_checkout(client)
    visit = pay_checkout(url_of(session), card=AUTHENTICATES, authenticate=False)
    assert visit.status == 402
    assert "failed authentication" in visit.page
    assert retrieve(client, session.id).status == "open"
    assert client.v1.charges.list().data == []
    assert pay_checkout(url_of(session)).status == 303


def test_a_card_is_not_saved_unless_asked_for(client: stripe.StripeClient, customer: str) -> None:
    session = open_checkout(client, customer=customer, saved_payment_method_options=SAVE)
    pay_checkout(url_of(session))
    assert saved_cards(client, customer) == []
    assert paid_intent(retrieve(client, session.id)).setup_future_usage is None


def test_the_tick_box_saves_the_card(client: stripe.StripeClient, customer: str) -> None:
    session = open_checkout(client, customer=customer, saved_payment_method_options=SAVE)
    pay_checkout(url_of(session), save=True)
    card = paid_intent(retrieve(client, session.id)).payment_method
    assert isinstance(card, stripe.PaymentMethod)
    assert (card.customer, card.allow_redisplay) == (customer, "always")
    assert [each.id for each in saved_cards(client, customer)] == [card.id]
    assert card.billing_details.name == "Ada Lovelace"
    charged = confirm(client, create_intent(client, customer).id, card.id)
    assert charged.status == "succeeded"


def test_there_is_no_box_to_tick_unless_it_is_enabled(
    client: stripe.StripeClient, customer: str
) -> None:
    with pytest.raises(ValueError, match="does not offer"):
        pay_checkout(url_of(open_checkout(client, customer=customer)), save=True)


def test_a_forged_tick_saves_nothing(client: stripe.StripeClient, customer: str) -> None:
    session = open_checkout(client, customer=customer)
    fields = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123", "name": "Ada"}
    assert Page("POST", url_of(session), **fields, save="true").status == 303
    assert saved_cards(client, customer) == []


def test_a_card_saved_for_later_charges_needs_no_box(
    client: stripe.StripeClient, customer: str
) -> None:
    session = open_checkout(
        client, customer=customer, payment_intent_data={"setup_future_usage": "off_session"}
    )
    pay_checkout(url_of(session), card=AUTHENTICATES_ONCE)
    [card] = saved_cards(client, customer)
    assert card.allow_redisplay == "limited"
    # It was authenticated when it was saved, so it can be charged off-session.
    charged = confirm(client, create_intent(client, customer).id, card.id)
    assert charged.status == "succeeded"


@pytest.mark.parametrize(("creation", "made"), [("always", 1), ("if_required", 0), (None, 0)])
def test_a_customer_is_created_when_asked_for(
    client: stripe.StripeClient, creation: str | None, made: int
) -> None:
    session = open_checkout(client, customer_creation=creation)
    assert client.v1.customers.list().data == []
    pay_checkout(url_of(session), email="bo@example.com", name="Bo Ek")
    customers = client.v1.customers.list().data
    done = retrieve(client, session.id)
    assert done.customer == (customers[0].id if customers else None)
    assert [(each.email, each.name) for each in customers] == [("bo@example.com", "Bo Ek")] * made
    assert done.customer_details is not None
    assert done.customer_details.email == "bo@example.com"


def test_a_known_address_is_not_asked_for(client: stripe.StripeClient) -> None:
    session = open_checkout(client, customer_email="known@example.com")
    pay_checkout(url_of(session), email="another@example.com")
    details = retrieve(client, session.id).customer_details
    assert details is not None
    assert details.email == "known@example.com"


@pytest.mark.parametrize("before", ["", "unknown"])
def test_a_customer_without_an_address_gets_the_one_from_the_page(
    client: stripe.StripeClient, before: str
) -> None:
    customer = client.v1.customers.create(params={"name": "Bo", "email": before}).id
    pay_checkout(url_of(open_checkout(client, customer=customer)), email="bo@example.com")
    assert client.v1.customers.retrieve(customer).email == "bo@example.com"


def test_a_session_is_paid_once_however_often_it_is_submitted(
    client: stripe.StripeClient,
) -> None:
    url = url_of(open_checkout(client, line_items=[item(1000, quantity=3)]))

    def submit(_: int) -> int:
        try:
            return pay_checkout(url).status
        except ValueError:  # the page had no form any more
            return 409

    with ThreadPoolExecutor(8) as threads:
        statuses = sorted(threads.map(submit, range(16)))
    assert statuses == [303] + [409] * 15
    assert [charge.amount for charge in client.v1.charges.list().data] == [3000]


@pytest.mark.parametrize("action", ["confirm", "cancel"])
def test_only_checkout_touches_its_payment_intent(
    client: stripe.StripeClient, buyer: Buyer, action: str
) -> None:
    session = open_checkout(client, customer=buyer.customer)
    pay_checkout(url_of(session), card=DECLINED)
    intent = paid_intent(retrieve(client, session.id)).id
    with pytest.raises(stripe.InvalidRequestError, match="created by Checkout"):
        getattr(client.v1.payment_intents, action)(intent)
