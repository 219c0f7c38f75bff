"""Buy Credits: what they cost, one payment a form, and a page that watches for them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
from structlog.typing import EventDict

from gatekeeper.domain.account import MAX_CREDITS, TopoffSettings
from gatekeeper.domain.incident import FailureReason
from gatekeeper.sandbox.stack import free_port
from gatekeeper.sandbox.stripe import SandboxStripe, pay_checkout
from tests.web.gate import PUBLIC_URL
from tests.web.portal.billing_desk import words_of
from tests.web.portal.browser import Browser
from tests.web.portal.checkout_desk import CheckoutDesk, page_says
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

DECLINED = "4000000000000002"
NOTHING = "There is nothing to wait for"
_HREF = re.compile(r'<a [^>]*href="([^"]+)"[^>]*>Receipt</a>')


@pytest.fixture(scope="module")
def stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe(webhook_secret="whsec_0") as sandbox:
        yield sandbox


@pytest.fixture
def scene(make_scene: Callable[..., Scene], stripe: SandboxStripe) -> Scene:
    return make_scene(stripe_api_base=stripe.base_url)


@pytest.fixture
def desk(scene: Scene) -> CheckoutDesk:
    return CheckoutDesk(scene)


@pytest.fixture
def owner(scene: Scene) -> Browser:
    return scene.signed_in(OWNER)


# The form


def test_the_page_shows_packs_with_their_prices(desk: CheckoutDesk, owner: Browser) -> None:
    desk.purchased(10)
    said = page_says(owner, desk.buy_path)
    assert "Your balance is 10 credits." in said
    assert "50 credits $10.00 Buy 50" in said
    assert "200 credits $40.00 Buy 200" in said
    assert "1,000 credits $200.00 Buy 1,000" in said
    assert "$0.20 for each credit" in said


def test_an_account_sees_its_own_price(desk: CheckoutDesk, owner: Browser) -> None:
    desk.ledger.accounts.update_account(desk.id, price_minor="1")
    said = page_says(owner, desk.buy_path)
    assert "50 credits $0.50 Buy 50" in said
    assert "$0.01 for each credit" in said


def test_packs_fit_the_limits(desk: CheckoutDesk, owner: Browser) -> None:
    desk.ledger.accounts.update_account(desk.id, price_minor="200000")
    said = page_says(owner, desk.buy_path)
    assert [n for n in ("Buy 50", "Buy 200", "Buy 1,000") if n in said] == ["Buy 50", "Buy 200"]
    desk.purchased(MAX_CREDITS - 20)
    said = page_says(owner, desk.buy_path)
    assert "Choose a pack" not in said
    assert "Choose how many" in said


def test_no_pack_leaves_an_account_overdrawn(desk: CheckoutDesk, owner: Browser) -> None:
    key = desk.ledger.keys.of_account(desk.id).account
    desk.ledger.client.hset(key, mapping={"purchased": -60})
    said = page_says(owner, desk.buy_path)
    assert "Overdrawn: the next credits make up for 60 credits first" in said
    assert "Buy 50 " not in said
    assert "Buy 200 " in said


def test_a_price_is_told_while_one_types(desk: CheckoutDesk, owner: Browser) -> None:
    desk.purchased(5)
    assert page_says(owner, f"{desk.buy_path}/price") == ""
    said = page_says(owner, f"{desk.buy_path}/price?credits=350")
    assert said == "$70.00 for 350 credits. Your balance will then be 355 credits."
    refused = page_says(owner, f"{desk.buy_path}/price?credits=1")
    assert refused == (
        "The number of credits costs less or more than a card can be charged in one payment."
    )
    assert "must be a whole number" in page_says(owner, f"{desk.buy_path}/price?credits=<b>")


def test_what_saving_the_card_charges_too_is_told_beforehand(
    desk: CheckoutDesk, owner: Browser
) -> None:
    desk.ledger.accounts.set_topoff(desk.id, TopoffSettings(True, 50, 200))
    desk.begin(topoff_id := desk.account.topoff_id)
    desk.ledger.topoffs.fail_topoff(
        topoff_id, payment_intent="", reason=FailureReason.NO_PAYMENT_METHOD
    )
    said = page_says(owner, desk.buy_path)
    assert (
        "If you save the card at Stripe Checkout, automatic top-offs start again: $40.00 for 200 "
        "credits is charged to it at once if your balance is still below 50 credits after the "
        "purchase."
    ) in said
    assert "By saving a card you agree that $40.00 is charged to it each time" in said
    told = (
        "That is below your threshold of 50 credits: if you save the card, $40.00 for 200 credits "
        "is charged to it at once as well."
    )
    assert told in page_says(owner, f"{desk.buy_path}/price?credits=49")
    assert "at once" not in page_says(owner, f"{desk.buy_path}/price?credits=50")
    address = desk.start(owner, desk.buy_path, credits="10")
    desk.come_back(owner, pay_checkout(address, save=True).location)
    desk.work()
    assert desk.ledger.topoffs.topoff(desk.account.topoff_id).credits == 200


def test_where_saving_the_card_charges_nothing_more(desk: CheckoutDesk, owner: Browser) -> None:
    desk.topoff(on=False, threshold=50, amount=200)
    assert "at once" not in page_says(owner, desk.buy_path)
    assert "Auto Top-Off is on" not in page_says(owner, desk.buy_path)
    desk.purchased(48)
    desk.topoff(on=True, threshold=48, amount=200)
    said = page_says(owner, desk.buy_path)
    assert "at once" not in said
    assert "Auto Top-Off is on. By saving a card you agree" in said


def test_a_suspended_account_is_told_beforehand(desk: CheckoutDesk, owner: Browser) -> None:
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    assert "This account is suspended." in page_says(owner, desk.buy_path)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("", "must be a whole number from 1 to 1,000,000"),
        ("many", "must be a whole number from 1 to 1,000,000"),
        ("-5", "must be a whole number from 1 to 1,000,000"),
        ("1e3", "must be a whole number from 1 to 1,000,000"),
        ("1.5", "must be a whole number from 1 to 1,000,000"),
        ("\N{ARABIC-INDIC DIGIT FIVE}0", "must be a whole number from 1 to 1,000,000"),
        ("1000001", "must be a whole number from 1 to 1,000,000"),
        ("2", "costs less or more than a card can be charged in one payment"),
        ("999999", "would be more than an account can hold; 999,990 more fit in"),
        ('"><script>', "must be a whole number from 1 to 1,000,000"),
    ],
)
def test_what_cannot_be_bought_is_said_beside_the_field(
    desk: CheckoutDesk, owner: Browser, typed: str, problem: str
) -> None:
    desk.purchased(10)
    answer = desk.send(owner, desk.buy_path, credits=typed)
    assert answer.status_code == 422
    assert words_of(answer.text).count(f"The number of credits {problem}.") == 2
    assert '<a href="#field-credits">' in answer.text
    field = re.search(r'<input id="field-credits"[^>]*>', answer.text)
    assert field is not None
    assert 'aria-invalid="true"' in field[0]
    assert "problem-credits" in field[0]
    value = re.search(r' value="([^"]*)"', field[0])
    assert value is not None
    assert unescape(value[1]) == typed
    assert desk.owed_looks == {}


# Paying


def test_what_is_paid_is_credited_and_said(desk: CheckoutDesk, owner: Browser) -> None:
    desk.purchased(10)
    watching = desk.paid(owner, desk.buy_path, credits=" 350 ")
    said = page_says(owner, watching)
    assert "Waiting for your payment" in said
    assert "350 credits for $70.00." in said
    assert f'hx-get="{desk.buy_path}/done/progress?' in owner.open(watching).text
    assert 'hx-trigger="every 2s"' in owner.open(watching).text
    assert desk.account.balance == 10
    desk.work()
    html = owner.open(watching).text
    assert "350 credits added" in words_of(html)
    assert "Your balance is now 360 credits." in words_of(html)
    assert "Paid $70.00 Card ending in 4242" in words_of(html)
    assert "/done/progress" not in html
    receipt = _HREF.search(html)
    assert receipt is not None
    assert receipt[1].startswith(desk.scene.gate.parts.settings.stripe_api_base.get_secret_value())
    assert desk.purchases == [350]


def test_the_progress_alone_is_no_page(desk: CheckoutDesk, owner: Browser) -> None:
    watching = desk.paid(owner, desk.buy_path, credits="50")
    progress = watching.replace("/done?", "/done/progress?")
    answer = owner.open(progress)
    assert "<html" not in answer.text
    assert "Waiting for your payment" in answer.text
    desk.work()
    assert "50 credits added" in words_of(owner.open(progress).text)


def test_the_page_grants_nothing_and_asks_for_one_look(desk: CheckoutDesk, owner: Browser) -> None:
    url = desk.start(owner, desk.buy_path, credits="50")
    (later,) = desk.owed_looks.values()
    location = pay_checkout(url).location
    watching = desk.come_back(owner, location)
    (visit_id, now) = desk.owed_looks.copy().popitem()
    assert now < later
    for _ in range(3):
        page_says(owner, watching)
        page_says(owner, watching.replace("/done?", "/done/progress?"))
    assert desk.owed_looks == {visit_id: now}
    assert desk.account.balance == 0
    desk.work()
    desk.come_back(owner, location)
    assert desk.owed_looks == {}
    assert desk.purchases == [50]


def test_a_declined_card_and_then_another(desk: CheckoutDesk, owner: Browser) -> None:
    url = desk.start(owner, desk.buy_path, credits="50")
    assert pay_checkout(url, card=DECLINED).status == 402
    (visit_id,) = desk.owed_looks
    desk.look(visit_id)
    watching = f"{desk.buy_path}/done?checkout={visit_id}"
    assert "Waiting for your payment" in page_says(owner, watching)
    assert desk.account.balance == 0
    desk.come_back(owner, pay_checkout(url).location)
    desk.work()
    assert "Your balance is now 50 credits." in page_says(owner, watching)
    assert desk.purchases == [50]


def test_who_leaves_checkout_finds_the_form_again(desk: CheckoutDesk, owner: Browser) -> None:
    url = desk.start(owner, desk.buy_path, credits="350")
    session = desk.scene.gate.parts.stripe.v1.checkout.sessions.retrieve(url.rpartition("/")[2])
    assert session.cancel_url is not None
    back = session.cancel_url.removeprefix(PUBLIC_URL)
    answer = owner.open(back)
    assert "You left without paying. Nothing was charged." in words_of(answer.text)
    assert re.search(r'name="credits"[^>]* value="350"', answer.text)
    (visit_id,) = desk.owed_looks
    desk.control.expire_checkout(session.id)
    desk.look(visit_id)
    assert (desk.account.balance, desk.purchases, desk.owed_looks) == (0, [], {})
    assert not list(desk.ledger.client.scan_iter("gk:*:checkout:*"))


def test_a_page_that_closed_is_not_waited_for(desk: CheckoutDesk, owner: Browser) -> None:
    desk.start(owner, desk.buy_path, credits="50")
    (visit_id,) = desk.owed_looks
    visit = desk.ledger.checkouts.find(visit_id)
    assert visit is not None
    desk.control.expire_checkout(visit.session)
    watching = desk.come_back(owner, f"{PUBLIC_URL}{desk.buy_path}/return?checkout={visit_id}")
    desk.work()
    html = owner.open(watching).text
    assert NOTHING in html
    assert "/done/progress" not in html
    assert desk.account.balance == 0


# Forms


def test_every_rendering_is_a_form_of_its_own(desk: CheckoutDesk, owner: Browser) -> None:
    tokens = {desk.new_token(owner, desk.buy_path) for _ in range(3)}
    assert len(tokens) == 3
    refused = desk.send(owner, desk.buy_path, tokens.pop(), credits="0").text
    assert not any(token in refused for token in tokens)


def test_a_form_that_is_sent_twice_pays_once(desk: CheckoutDesk, owner: Browser) -> None:
    token, csrf = desk.new_token(owner, desk.buy_path), owner.token(desk.buy_path)
    data = {"csrf_token": csrf, "token": token, "credits": "200"}
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: owner.open(desk.buy_path, "POST", data=data), range(3)))
    (url,) = {answer.headers["Location"] for answer in answers}
    desk.come_back(owner, pay_checkout(url).location)
    desk.work()
    again = desk.send(owner, desk.buy_path, token, credits="200")
    assert again.status_code == 409
    assert "This has been done already." in words_of(again.text)
    assert f'href="{desk.buy_path}"' in again.text
    assert desk.purchases == [200]


def test_without_stripe_nobody_is_sent_anywhere(
    make_scene: Callable[..., Scene], logged: list[EventDict]
) -> None:
    desk = CheckoutDesk(make_scene(stripe_api_base=f"http://127.0.0.1:{free_port()}"))
    owner = desk.scene.signed_in(OWNER)
    answer = desk.send(owner, desk.buy_path, credits="200")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert "Nothing was charged or changed; please try again" in words_of(answer.text)
    assert f'href="{desk.buy_path}"' in answer.text
    assert desk.owed_looks == {}
    (event,) = (one for one in logged if one["event"] == "checkout_unavailable")
    assert event["error"]


# Who may


@pytest.mark.parametrize("path", ["", "/price", "/return", "/done", "/done/progress"])
@pytest.mark.parametrize(("person", "status"), [(VIEWER, 403), (STRANGER, 404)])
def test_who_may_not_buy(
    desk: CheckoutDesk, scene: Scene, person: str, status: int, path: str
) -> None:
    browser = scene.signed_in(person)
    assert browser.open(f"{desk.buy_path}{path}").status_code == status
    if not path:
        answer = browser.submit(desk.buy_path, credits="50", token="t")
        assert answer.status_code == status
        assert desk.owed_looks == {}


def test_an_admin_buys_on_behalf(desk: CheckoutDesk, scene: Scene) -> None:
    watching = desk.paid(scene.signed_in(ADMIN), desk.buy_path, credits="50")
    desk.work()
    assert "50 credits added" in page_says(scene.signed_in(ADMIN), watching)


def test_a_form_without_its_csrf_token_buys_nothing(desk: CheckoutDesk, owner: Browser) -> None:
    data = {"credits": "50", "token": desk.new_token(owner, desk.buy_path)}
    assert owner.open(desk.buy_path, "POST", data=data).status_code == 400
    assert desk.owed_looks == {}


def test_other_tenants_purchases_are_as_good_as_none(
    desk: CheckoutDesk, scene: Scene, owner: Browser
) -> None:
    watching = desk.paid(owner, desk.buy_path, credits="50")
    desk.work()
    stranger = scene.signed_in(STRANGER)
    assert stranger.open(watching).status_code == 404
    theirs = watching.replace(desk.id, scene.baker, 1)
    assert NOTHING in page_says(stranger, theirs)
    unknown = f"/a/{scene.baker}/buy/done?checkout={scene.baker}-000000000000"
    assert page_says(stranger, unknown) == page_says(stranger, theirs)
    for strange in ("", "?checkout=", "?checkout=x", "?checkout=%00-*", "?checkout=a&checkout=b"):
        assert NOTHING in page_says(owner, f"{desk.buy_path}/done{strange}")
        assert owner.open(f"{desk.buy_path}/return{strange}").status_code == 303


def test_a_visit_for_a_card_is_no_purchase(desk: CheckoutDesk, owner: Browser) -> None:
    watching = desk.paid(owner, desk.card_path)
    visit = watching.rpartition("=")[2]
    assert NOTHING in page_says(owner, f"{desk.buy_path}/done?checkout={visit}")


def test_the_button_leads_here(desk: CheckoutDesk, scene: Scene, owner: Browser) -> None:
    page = f"/a/{desk.id}/receptionist/settings"
    assert re.search(rf'href="{desk.buy_path}">Buy Credits</a>', owner.open(page).text)
    assert "Buy Credits" not in page_says(scene.signed_in(VIEWER), page)
