"""Checkout Sessions over the API: what they refuse, lists, line items, and how they expire."""

import time
from typing import Any

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, pay_checkout
from gatekeeper.sandbox.stripe.checkout.session_params import CREATE
from gatekeeper.sandbox.stripe.client import SandboxControlError
from gatekeeper.sandbox.stripe.params import decode_form
from gatekeeper.sandbox.stripe.resources import checkout_sessions
from gatekeeper.sandbox.stripe.state import Call, State
from tests.sandbox.stripe.checking_out import (
    DECLINED,
    browse,
    item,
    open_checkout,
    open_setup,
    url_of,
)
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import KEY, event_types

DAY_S = 24 * 60 * 60


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"mode": None}, "parameter_missing", "mode"),
        ({"mode": "subscription"}, None, "mode"),
        ({"success_url": None}, "parameter_missing", "success_url"),
        ({"success_url": "billing"}, "url_invalid", "success_url"),
        ({"success_url": "javascript:alert(1)"}, "url_invalid", "success_url"),
        ({"success_url": "http://a.example/\r\nSet-Cookie: a=b"}, "url_invalid", "success_url"),
        ({"cancel_url": "http://a.example;script-src *"}, "url_invalid", "cancel_url"),
        ({"cancel_url": "http://[nothing"}, "url_invalid", "cancel_url"),
        ({"line_items": None}, "parameter_missing", "line_items"),
        ({"line_items": [{"quantity": 1}]}, None, "line_items[0]"),
        ({"line_items": [{**item(), "quantity": 0}]}, "parameter_invalid_integer",
         "line_items[0][quantity]"),
        ({"line_items": [{"price_data": item()["price_data"]}]}, "parameter_missing",
         "line_items[0][quantity]"),
        ({"line_items": [{"price": "price_nothing", "quantity": 1}]}, "resource_missing",
         "line_items[0][price]"),
        ({"line_items": [item(name="")]}, "parameter_invalid_empty",
         "line_items[0][price_data][product_data][name]"),
        ({"line_items": [item(-1)]}, "parameter_invalid_integer",
         "line_items[0][price_data][unit_amount]"),
        ({"line_items": [item(49)]}, "amount_too_small", None),
        ({"line_items": [item(60_000_000, quantity=2)]}, "amount_too_large", None),
        ({"line_items": [item()] * 101}, None, "line_items"),
        ({"currency": "eur"}, None, "currency"),
        ({"customer": "cus_nobody"}, "resource_missing", "customer"),
        ({"customer": "cus_1", "customer_email": "a@example.com"}, None, "customer"),
        ({"customer": "cus_1", "customer_creation": "always"}, None, "customer"),
        ({"customer_email": "nobody"}, "email_invalid", "customer_email"),
        ({"setup_intent_data": {"description": "d"}}, None, "setup_intent_data"),
        ({"saved_payment_method_options": {"payment_method_save": "enabled"}}, None,
         "saved_payment_method_options[payment_method_save]"),
        ({"payment_intent_data": {"setup_future_usage": "often"}}, None,
         "payment_intent_data[setup_future_usage]"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported",
         "payment_method_types"),
        ({"allow_promotion_codes": True}, "parameter_unknown", "allow_promotion_codes"),
        ({"ui_mode": "elements"}, None, "ui_mode"),
        ({"client_reference_id": "x" * 201}, "parameter_invalid_string", "client_reference_id"),
    ],
)  # fmt: skip
def test_wrong_parameters(
    client: stripe.StripeClient, params: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_checkout(client, **params)
    assert caught.value.http_status == 400
    assert (caught.value.code, caught.value.param) == (code, param)
    assert client.v1.checkout.sessions.list().data == []
    assert event_types(client) == []


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"currency": None}, "currency"),
        ({"line_items": [item()]}, "line_items"),
        ({"payment_intent_data": {"description": "d"}}, "payment_intent_data"),
        (
            {"saved_payment_method_options": {"payment_method_save": "disabled"}},
            "saved_payment_method_options",
        ),
        ({"customer": "cus_nobody"}, "customer"),
    ],
)
def test_wrong_parameters_of_setup_mode(
    client: stripe.StripeClient, params: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        open_setup(client, **params)
    assert caught.value.param == param
    assert event_types(client) == []


def test_existing_prices(client: stripe.StripeClient, buyer: Buyer) -> None:
    product = client.v1.products.create(params={"name": "100 credits"}).id
    once = client.v1.prices.create(
        params={"currency": "usd", "product": product, "unit_amount": 900}
    ).id
    monthly = client.v1.prices.create(
        params={
            "currency": "usd",
            "product": product,
            "unit_amount": 900,
            "recurring": {"interval": "month"},
        }
    ).id
    session = open_checkout(client, line_items=[{"price": once, "quantity": 2}, item(100)])
    assert (session.amount_subtotal, session.amount_total) == (1900, 1900)
    items = client.v1.checkout.sessions.line_items.list(session.id).data
    assert [(each.description, each.quantity, each.amount_total) for each in items] == [
        ("100 credits", 2, 1800),
        ("500 credits", 1, 100),
    ]
    inline = items[1].price
    assert inline is not None
    assert not inline.active
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        open_checkout(client, line_items=[{"price": inline.id, "quantity": 1}])
    with pytest.raises(stripe.InvalidRequestError, match="recurring price"):
        open_checkout(client, line_items=[{"price": monthly, "quantity": 1}])


def test_one_session_has_one_currency(client: stripe.StripeClient) -> None:
    euros = item()
    euros["price_data"]["currency"] = "eur"
    with pytest.raises(stripe.InvalidRequestError, match="same currency"):
        open_checkout(client, line_items=[item(), euros])
    assert open_checkout(client, line_items=[euros], currency="eur").currency == "eur"


def test_lists(client: stripe.StripeClient, buyer: Buyer) -> None:
    mine = open_checkout(client, customer=buyer.customer)
    paid = open_checkout(client, customer=buyer.customer)
    other = open_checkout(client)
    pay_checkout(url_of(paid))
    intent = client.v1.checkout.sessions.retrieve(paid.id).payment_intent

    def listed(**params: Any) -> list[str]:
        values: Any = params
        return [each.id for each in client.v1.checkout.sessions.list(params=values).data]

    assert listed() == [other.id, paid.id, mine.id]
    assert listed(customer=buyer.customer) == [paid.id, mine.id]
    assert listed(payment_intent=intent) == [paid.id]
    assert listed(status="open") == [other.id, mine.id]
    assert listed(limit=1, starting_after=other.id) == [paid.id]


def test_an_unknown_session_is_a_404(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"No such checkout\.session") as caught:
        client.v1.checkout.sessions.retrieve("cs_test_nothing")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


def test_one_idempotency_key_is_one_session(client: stripe.StripeClient) -> None:
    params: Any = {
        "mode": "payment",
        "line_items": [item()],
        "success_url": "http://127.0.0.1:9/",
    }
    made = {
        client.v1.checkout.sessions.create(params=params, options={"idempotency_key": "k"}).id
        for _ in range(2)
    }
    assert len(made) == 1
    assert len(client.v1.checkout.sessions.list().data) == 1


def test_expire(client: stripe.StripeClient) -> None:
    session = open_checkout(client)
    expired = client.v1.checkout.sessions.expire(session.id)
    assert (expired.status, expired.payment_status, expired.url) == ("expired", "unpaid", None)
    assert event_types(client)[-1] == "checkout.session.expired"
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `expired`"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_paid_session_cant_be_expired(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    session = open_checkout(client)
    pay_checkout(url_of(session))
    with pytest.raises(stripe.InvalidRequestError, match="has a status of `complete`"):
        client.v1.checkout.sessions.expire(session.id)
    with pytest.raises(SandboxControlError, match="has a status of `complete`"):
        control.expire_checkout(session.id)
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_expiry_cancels_a_payment_that_failed(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    session = open_checkout(client)
    pay_checkout(url_of(session), card=DECLINED)
    control.expire_checkout(session.id)
    found = client.v1.checkout.sessions.retrieve(session.id, params={"expand": ["payment_intent"]})
    assert isinstance(found.payment_intent, stripe.PaymentIntent)
    assert found.payment_intent.status == "canceled"
    assert found.payment_intent.cancellation_reason == "expired"
    assert event_types(client)[-2:] == ["payment_intent.canceled", "checkout.session.expired"]


def test_a_session_lasts_a_day_unless_told(client: stripe.StripeClient) -> None:
    session = open_checkout(client)
    assert session.expires_at - session.created == DAY_S
    soon = int(time.time()) + 30 * 60
    assert open_checkout(client, expires_at=soon).expires_at == soon


@pytest.mark.parametrize(
    ("lasts_s", "message"),
    [(20 * 60, "at least 30 minutes"), (DAY_S + 60, "less than 24 hours"), (-1, "at least")],
)
def test_a_session_lasts_from_half_an_hour_to_a_day(
    client: stripe.StripeClient, lasts_s: int, message: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message) as caught:
        open_checkout(client, expires_at=int(time.time()) + lasts_s)
    assert caught.value.param == "expires_at"


@pytest.mark.parametrize("of_customer", [True, False])
def test_a_session_expires_when_its_time_is_up(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer, of_customer: bool
) -> None:
    customer = buyer.customer if of_customer else None
    session = open_checkout(client, customer=customer)
    url = url_of(session)
    control.advance_clock(session.expires_at - 1, customer=customer)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
    control.advance_clock(session.expires_at, customer=customer)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert event_types(client).count("checkout.session.expired") == 1
    assert "has expired" in browse(url).html


def test_who_comes_too_late_finds_the_session_expired() -> None:
    state = State()
    form = "mode=setup&currency=usd&success_url=http://127.0.0.1:9/"
    opened = Call(state, params=CREATE(decode_form(form), ""), clock_s=1_000_000)
    session = checkout_sessions.create(opened)
    late = Call(state, args={"session": session["id"]}, clock_s=1_000_000 + DAY_S)
    assert checkout_sessions.retrieve(late)["status"] == "expired"
    assert [event["type"] for event in late.events][-1] == "checkout.session.expired"


def test_another_customers_time_expires_nothing(
    client: stripe.StripeClient, control: SandboxControl, buyer: Buyer
) -> None:
    session = open_checkout(client)
    control.advance_clock(session.expires_at, customer=buyer.customer)
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_the_api_needs_a_key_and_the_page_none(client: stripe.StripeClient) -> None:
    url = url_of(open_checkout(client))
    assert KEY not in browse(url).html
    origin = url.partition("/c/pay/")[0]
    assert browse(f"{origin}/v1/checkout/sessions").status == 401
