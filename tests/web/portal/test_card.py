"""The card: set, replaced or removed, and what the banner has to do with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from structlog.typing import EventDict

from gatekeeper.domain.account import Card
from gatekeeper.domain.incident import FailureReason, Resolution
from gatekeeper.payments.charging import ChargeOutcome
from gatekeeper.sandbox.stack import free_port
from gatekeeper.sandbox.stripe import SandboxStripe, pay_checkout
from tests.web.gate import PUBLIC_URL
from tests.web.portal.billing_desk import fail, words_of
from tests.web.portal.browser import Browser
from tests.web.portal.checkout_desk import CheckoutDesk, page_says
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

DECLINED = "4000000000000002"
MASTERCARD = "5555555555554444"
NOTHING = "There is nothing to wait for"
CONSENT = (
    "Auto Top-Off is on. By saving a card you agree that $4.00 is charged to it each time your "
    "balance drops below 5 credits, until you switch Auto Top-Off off."
)
AT_ONCE = "saving a card charges $4.00 to it at once, for 20 credits."


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


def set_card(desk: CheckoutDesk, browser: Browser, card: str = "4242424242424242") -> str:
    """Save a card at Checkout, and let that be heard of; returns the page that watches."""
    watching = desk.paid(browser, desk.card_path, card=card)
    desk.work()
    return watching


# The page


def test_without_a_card(desk: CheckoutDesk, owner: Browser) -> None:
    said = page_says(owner, desk.card_path)
    assert "No card is attached." in said
    assert "Auto Top-Off is off: a card is saved, but not charged, until you enable it." in said
    assert "Add a card" in said
    assert "Remove card" not in said


def test_with_a_card(desk: CheckoutDesk, owner: Browser) -> None:
    desk.card()
    said = page_says(owner, desk.card_path)
    assert "Card Visa ending in 4242 Expires 12/2031" in said
    assert "Replace card Remove card" in said


@pytest.mark.parametrize(
    ("expiry", "refused", "badge"),
    [("01/2020", "", "Expired"), ("12/2031", "do_not_try_again", "Refused by its issuer")],
)
def test_what_is_wrong_with_a_card(
    desk: CheckoutDesk, owner: Browser, expiry: str, refused: str, badge: str
) -> None:
    desk.ledger.accounts.set_card(desk.id, Card("cus_1", "pm_1", "visa", "4242", expiry))
    profile = desk.ledger.keys.of_account(desk.id).profile
    if refused:
        desk.ledger.client.hset(profile, "card_refused", refused)
    assert badge in page_says(owner, desk.card_path)


def test_what_saving_a_card_charges_is_said_beforehand(desk: CheckoutDesk, owner: Browser) -> None:
    desk.purchased(5)
    desk.card().topoff(threshold=5, amount=20)
    said = page_says(owner, desk.card_path)
    assert CONSENT in said
    assert "at once" not in said
    desk.answered(1)
    desk.failed_topoff(desk.decline)
    assert AT_ONCE in page_says(owner, desk.card_path)
    set_card(desk, owner)
    assert desk.account.topoff_id
    said = page_says(owner, desk.card_path)
    assert "A charge is on its way. Another card counts from the next one on." in said
    assert "at once" not in said


# Setting and replacing


def test_a_card_is_set_and_replaced(desk: CheckoutDesk, owner: Browser) -> None:
    watching = desk.paid(owner, desk.card_path)
    assert "Saving your card" in page_says(owner, watching)
    html = owner.open(watching).text
    assert f'hx-get="{desk.card_path}/done/progress?' in html
    assert desk.last4 == ""
    desk.work()
    said = page_says(owner, watching)
    assert "Your card is saved" in said
    assert "Automatic top-offs are charged to your Visa ending in 4242." in said
    assert "nothing is charged until you enable it" in said
    assert "/done/progress" not in owner.open(watching).text
    said = page_says(owner, set_card(desk, owner, MASTERCARD))
    assert "Mastercard ending in 4444" in said
    assert (desk.last4, desk.account.balance) == ("4444", 0)


def test_a_declined_card_changes_nothing(desk: CheckoutDesk, owner: Browser) -> None:
    desk.card()
    before = desk.account.card
    url = desk.start(owner, desk.card_path)
    assert pay_checkout(url, card=DECLINED).location is None
    (visit_id,) = desk.owed_looks
    desk.look(visit_id)
    assert "Saving your card" in page_says(owner, f"{desk.card_path}/done?checkout={visit_id}")
    assert desk.account.card == before


def test_who_leaves_checkout_changed_nothing(desk: CheckoutDesk, owner: Browser) -> None:
    url = desk.start(owner, desk.card_path)
    session = desk.scene.gate.parts.stripe.v1.checkout.sessions.retrieve(url.rpartition("/")[2])
    assert session.cancel_url is not None
    said = page_says(owner, session.cancel_url.removeprefix(PUBLIC_URL))
    assert "You left without saving a card. Nothing was changed." in said
    (visit_id,) = desk.owed_looks
    desk.control.expire_checkout(session.id)
    desk.look(visit_id)
    assert NOTHING in page_says(owner, f"{desk.card_path}/done?checkout={visit_id}")
    assert (desk.last4, desk.owed_looks) == ("", {})


def test_a_form_that_is_sent_twice_leads_to_one_page(desk: CheckoutDesk, owner: Browser) -> None:
    token = desk.new_token(owner, desk.card_path)
    assert token != desk.new_token(owner, desk.card_path)
    url = desk.start(owner, desk.card_path, token)
    assert desk.start(owner, desk.card_path, token) == url
    desk.come_back(owner, pay_checkout(url).location)
    desk.work()
    again = desk.send(owner, desk.card_path, token)
    assert again.status_code == 409
    assert "This has been done already." in words_of(again.text)


def test_what_no_form_of_ours_sends_leads_to_the_form(desk: CheckoutDesk, owner: Browser) -> None:
    answer = owner.submit(desk.card_path)
    assert (answer.status_code, answer.headers["Location"]) == (303, desk.card_path)
    assert desk.owed_looks == {}


# The banner


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        (FailureReason.NO_PAYMENT_METHOD, "Set Up Auto Top-Off"),
        (FailureReason.DECLINED, "Update Payment Method"),
    ],
)
def test_the_banner_leads_here_and_goes_with_a_card(
    desk: CheckoutDesk, owner: Browser, reason: FailureReason, label: str
) -> None:
    fail(desk, reason)
    billing = owner.open(desk.path).text
    banner = billing.partition('<section class="banner"')[2].partition("</section>")[0]
    assert re.search(rf'<a class="button" href="{desk.card_path}">{label}</a>', banner)
    watching = set_card(desk, owner, MASTERCARD)
    incident = desk.ledger.accounts.incident(desk.id)
    assert incident is not None
    assert incident.resolution is Resolution.CARD_ATTACHED
    html = owner.open(watching).text
    assert 'class="banner"' not in html
    assert "A charge is on its way." in html
    assert desk.charge() is ChargeOutcome.SUCCEEDED
    assert "A charge is on its way." not in owner.open(watching).text


# Removing


def test_a_card_is_removed_after_a_question(desk: CheckoutDesk, owner: Browser) -> None:
    set_card(desk, owner)
    desk.topoff(threshold=0)
    page = f"{desk.card_path}/remove"
    said = page_says(owner, page)
    assert "Remove your Visa ending in 4242?" in said
    assert "when your balance reaches zero, incoming calls will be dropped." in said
    assert desk.last4 == "4242"
    answer = press_remove(owner, page)
    assert answer == desk.card_path
    said = page_says(owner, desk.card_path)
    assert "Your card is removed." in said
    assert "No card is attached." in said
    assert desk.account.card is None


def press_remove(browser: Browser, page: str, payment_method: str = "") -> str:
    """Answer the question with yes; returns where that leads."""
    html = browser.open(page).text
    found = re.search(r'name="payment_method" value="([^"]+)"', html)
    named = payment_method or (found[1] if found else "")
    answer = browser.submit(page, page="/", payment_method=named)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_only_the_card_that_was_asked_about_is_removed(desk: CheckoutDesk, owner: Browser) -> None:
    set_card(desk, owner)
    page = f"{desk.card_path}/remove"
    press_remove(owner, page, "pm_another")
    assert "Your card was replaced meanwhile. Nothing was removed." in page_says(
        owner, desk.card_path
    )
    assert desk.last4 == "4242"
    press_remove(owner, page)
    press_remove(owner, page)
    assert "There is no card to remove." in page_says(owner, desk.card_path)
    assert owner.open(page).headers["Location"] == desk.card_path


def test_a_card_that_was_removed_since_is_said_so(desk: CheckoutDesk, owner: Browser) -> None:
    watching = set_card(desk, owner)
    press_remove(owner, f"{desk.card_path}/remove")
    assert "It was saved, and removed again since." in page_says(owner, watching)


# Stripe away, and who may


def test_without_stripe_nothing_changes(
    make_scene: Callable[..., Scene], logged: list[EventDict]
) -> None:
    desk = CheckoutDesk(make_scene(stripe_api_base=f"http://127.0.0.1:{free_port()}"))
    owner = desk.scene.signed_in(OWNER)
    desk.ledger.accounts.set_card(desk.id, Card("cus_1", "pm_1", "visa", "4242", "12/2031"))
    remove = f"{desk.card_path}/remove"
    for path, answer in (
        (desk.card_path, desk.send(owner, desk.card_path)),
        (remove, owner.submit(remove, payment_method="pm_1")),
    ):
        assert answer.status_code == 503
        assert "Nothing was charged or changed" in words_of(answer.text)
        assert f'href="{path}"' in answer.text
    assert desk.last4 == "4242"
    assert desk.owed_looks == {}
    assert [one["path"] for one in logged if one["event"] == "checkout_unavailable"] == [
        desk.card_path,
        remove,
    ]


@pytest.mark.parametrize("path", ["", "/remove", "/return", "/done", "/done/progress"])
@pytest.mark.parametrize(("person", "status"), [(VIEWER, 403), (STRANGER, 404)])
def test_who_may_not_touch_the_card(
    desk: CheckoutDesk, scene: Scene, person: str, status: int, path: str
) -> None:
    desk.card()
    browser = scene.signed_in(person)
    page = f"{desk.card_path}{path}"
    assert browser.open(page).status_code == status
    if path in ("", "/remove"):
        fields = {"token": "t", "payment_method": "pm_1"}
        assert browser.submit(page, **fields).status_code == status
        assert scene.signed_in(OWNER).open(page, "POST", data=fields).status_code == 400
    assert (desk.last4, desk.owed_looks) == ("4242", {})


def test_an_admin_sets_a_card_on_behalf(desk: CheckoutDesk, scene: Scene) -> None:
    set_card(desk, scene.signed_in(ADMIN))
    assert desk.last4 == "4242"


def test_other_tenants_visits_are_as_good_as_none(
    desk: CheckoutDesk, scene: Scene, owner: Browser
) -> None:
    watching = set_card(desk, owner)
    stranger = scene.signed_in(STRANGER)
    assert stranger.open(watching).status_code == 404
    theirs = page_says(stranger, watching.replace(desk.id, scene.baker, 1))
    assert NOTHING in theirs
    assert "4242" not in theirs
