"""The hosted pages as a browser gets them: what they show, keep, escape and forbid."""

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, pay_checkout
from tests.sandbox.stripe.checking_out import (
    AUTHENTICATES,
    SHOP,
    Page,
    browse,
    item,
    open_checkout,
    open_setup,
    url_of,
)
from tests.sandbox.stripe.conftest import Buyer
from tests.sandbox.stripe.shop import confirm, create_intent

CARD = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123", "name": "Ada"}
HOSTILE = "<script>alert(1)</script>\"'&"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;"


def receipt_url(client: stripe.StripeClient) -> str:
    url = client.v1.charges.list().data[0].receipt_url
    assert url is not None
    return url


def test_the_page_shows_what_is_bought(client: stripe.StripeClient) -> None:
    session = open_checkout(
        client, line_items=[item(4500, description="They carry over."), item(1000, quantity=3)]
    )
    page = browse(url_of(session))
    assert page.status == 200
    for text in ("500 credits", "They carry over.", " $10.00 USD", "$75.00 USD"):
        assert text in page.html
    assert f'href="{SHOP}/buy"' in page.html
    assert "<script" not in page.html
    assert "style=" not in page.html


def test_the_page_of_setup_mode_charges_nothing(client: stripe.StripeClient) -> None:
    page = browse(url_of(open_setup(client)))
    assert "Nothing is charged now." in page.html
    assert ">Save card<" in page.html


def test_nothing_is_unescaped(client: stripe.StripeClient) -> None:
    session = open_checkout(
        client,
        line_items=[item(name=HOSTILE, description=HOSTILE)],
        customer_email=None,
        payment_intent_data={"description": HOSTILE},
    )
    fields = {**CARD, "number": "4000000000000002", "name": HOSTILE, "email": "a@example.com"}
    declined = Page("POST", url_of(session), **fields)
    assert declined.status == 402
    pay_checkout(url_of(session), name=HOSTILE)
    for html in (declined.html, browse(receipt_url(client)).html):
        assert "<script>" not in html
        assert html.count(ESCAPED) >= 2


def test_the_headers(client: stripe.StripeClient) -> None:
    headers = browse(url_of(open_checkout(client))).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe-inline" not in policy
    # Browsers apply form-action to the redirect after the form too.
    assert "form-action 'self' http://127.0.0.1:9" in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_the_stylesheet(client: stripe.StripeClient) -> None:
    origin = url_of(open_checkout(client)).partition("/c/pay/")[0]
    style = browse(f"{origin}/c/checkout.css")
    assert (style.status, style.headers["Content-Type"]) == (200, "text/css; charset=utf-8")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("email", "ada", "Your email is incomplete."),
        ("number", "", "Your card number is incomplete."),
        ("number", "4242 4242 4242 4241", "Your card number is incorrect."),
        ("expiry", "12", "expiration date is incomplete."),
        ("expiry", "13/34", "expiration month is invalid."),
        ("expiry", "12/20", "expiration year is invalid."),
        ("cvc", "", "security code is incomplete."),
        ("cvc", "12", "security code is invalid."),
        ("name", " ", "Enter the name on your card."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(
    client: stripe.StripeClient, field: str, value: str, message: str
) -> None:
    url = url_of(open_checkout(client, customer_creation="always"))
    page = Page("POST", url, **{**CARD, "email": "ada@example.com", field: value})
    assert page.status in (402, 422)
    beside = page.html.partition(f'id="{field}-problem">')[2].partition("</p>")[0]
    assert message in beside
    assert f'aria-describedby="{field}-problem"' in page.html
    assert client.v1.payment_intents.list().data == []
    assert client.v1.customers.list().data == []


def test_input_is_kept_but_for_the_card(client: stripe.StripeClient, buyer: Buyer) -> None:
    session = open_checkout(
        client,
        customer=buyer.customer,
        saved_payment_method_options={"payment_method_save": "enabled"},
    )
    fields = {**CARD, "number": "4000000000000002", "cvc": "987", "save": "true"}
    page = Page("POST", url_of(session), **fields)
    assert 'value="Ada"' in page.html
    assert 'value="12/34"' in page.html
    assert "checked" in page.html
    assert "4000000000000002" not in page.html
    assert "987" not in page.html


def test_a_real_card_is_refused(client: stripe.StripeClient) -> None:
    visit = pay_checkout(url_of(open_checkout(client)), card="4111 1111 1111 1111")
    assert visit.status == 402
    assert "test mode" in visit.page
    assert "4111" not in visit.page
    assert client.v1.charges.list().data == []


def test_a_completed_session_says_so(client: stripe.StripeClient) -> None:
    session = open_checkout(client)
    url = url_of(session)
    pay_checkout(url)
    seen, submitted = browse(url), Page("POST", url, **CARD, email="ada@example.com")
    assert (seen.status, submitted.status) == (200, 409)
    for page in (seen, submitted):
        assert "Nothing was charged again." in page.html
        assert f'href="{SHOP}?session={session.id}"' in page.html
    assert len(client.v1.charges.list().data) == 1


def test_an_expired_session_says_so(client: stripe.StripeClient, control: SandboxControl) -> None:
    session = open_checkout(client)
    url = url_of(session)
    control.expire_checkout(session.id)
    seen, submitted = browse(url), Page("POST", url, **CARD, email="ada@example.com")
    assert (seen.status, submitted.status) == (200, 409)
    for page in (seen, submitted):
        assert "This page has expired" in page.html
        assert f'href="{SHOP}/buy"' in page.html
    assert client.v1.charges.list().data == []


def test_the_challenge(client: stripe.StripeClient, control: SandboxControl) -> None:
    session = open_checkout(client)
    url = url_of(session)
    challenge = f"{url}/authenticate"
    assert browse(challenge).status == 303  # there is none yet
    fields = {**CARD, "number": AUTHENTICATES, "email": "ada@example.com"}
    sent_on = Page("POST", url, **fields)
    assert sent_on.headers["Location"] == f"/c/pay/{session.id}/authenticate"
    page = browse(challenge)
    assert "$45.00 USD needs 3D Secure" in page.html
    assert "Complete authentication" in page.html
    assert "form-action 'self' http://127.0.0.1:9" in page.headers["Content-Security-Policy"]

    # Who goes back instead may pay with another card.
    assert pay_checkout(url).location == f"{SHOP}?session={session.id}"
    late = Page("POST", challenge, outcome="complete")
    assert late.status == 409
    assert len(client.v1.charges.list().data) == 1


def test_a_challenge_can_be_settled_by_the_control_interface(
    client: stripe.StripeClient, control: SandboxControl
) -> None:
    session = open_checkout(client)
    fields = {**CARD, "number": AUTHENTICATES, "email": "ada@example.com"}
    Page("POST", url_of(session), **fields)
    waiting = client.v1.checkout.sessions.retrieve(session.id)
    assert isinstance(waiting.payment_intent, str)
    control.settle_payment(waiting.payment_intent, "succeed")
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status) == ("complete", "paid")


@pytest.mark.parametrize("path", ["/c/pay/cs_test_nothing", "/c/nothing", "/receipts/payment/ch_x"])
def test_a_page_that_isnt_there(client: stripe.StripeClient, path: str) -> None:
    origin = url_of(open_checkout(client)).partition("/c/pay/")[0]
    page = browse(origin + path)
    assert (page.status, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_a_receipt(client: stripe.StripeClient, buyer: Buyer) -> None:
    intent = create_intent(client, buyer.customer, description="500 credits").id
    confirm(client, intent, buyer.card)
    url = receipt_url(client)
    page = browse(url)
    assert page.status == 200
    for text in ("$20.00 USD", "4242", "visa", "500 credits", "(UTC)"):
        assert text in page.html
    assert "Refunded" not in page.html
    client.v1.refunds.create(params={"payment_intent": intent, "amount": 500})
    refunded = browse(url).html
    assert "Refunded" in refunded
    assert "$5.00 USD" in refunded


def test_a_charge_that_failed_has_no_receipt(client: stripe.StripeClient) -> None:
    url = url_of(open_checkout(client))
    pay_checkout(url, card="4000000000000002")
    [charge] = client.v1.charges.list().data
    assert charge.receipt_url is None
    origin = url.partition("/c/pay/")[0]
    assert browse(f"{origin}/receipts/payment/{charge.id}").status == 404
