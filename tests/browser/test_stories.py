"""Whole stories in a browser, with every process up: from a person's click to the next call."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.person import Member, Role
from gatekeeper.sandbox.caller import Answered, Dropped
from gatekeeper.sandbox.stack import LocalStack
from tests.browser.chromium import DESK, View
from tests.browser.conftest import OpenPage
from tests.browser.customer import FAILS_LATER, GOOD, Customer, fill_in
from tests.conftest import wait_until

pytestmark = pytest.mark.slow

CREDITS = 20
TOPOFF = TopoffSettings(True, 3, CREDITS)
DECLINED = FailureReason.DECLINED.label
#: An open page asks for its banner every 20 s.
BANNER_ASKED_MS = 21_000
CONFIRM = {"method": "POST", "path": r"/v1/payment_intents/pi_\w+/confirm"}


@pytest.fixture
def base_url(stack: LocalStack) -> str:
    return stack.web_url


@pytest.fixture
def declined(customer: Customer) -> str:
    """Let the customer have no credits and a card that is declined; returns the card."""
    card = customer.attach(FAILS_LATER)
    customer.ledger.accounts.set_topoff(customer.id, TOPOFF)
    wait_until(lambda: customer.account.incident_id)
    return card


def test_a_retry_from_the_billing_page_succeeds(
    new_page: OpenPage, customer: Customer, declined: str
) -> None:
    """The bank lets it pass the second time; another page that is open hears of it."""
    assert isinstance(customer.call(), Dropped)
    page = customer.sign_in(new_page())
    page.clock.install()
    _open_calls(page, customer, "Call dropped because balance was empty")
    banner = page.get_by_role("region", name=DECLINED)
    expect(banner).to_be_visible()
    page.evaluate("window.loaded = 'once'")

    customer.stack.control.set_outcome(declined, "succeed")
    billing = customer.sign_in(new_page())
    billing.goto(customer.billing_path)
    billing.get_by_role("button", name="Retry the charge").click()
    expect(billing.get_by_role("heading", name="A charge is on its way")).to_be_hidden()
    expect(billing.get_by_text("20 credits", exact=True).first).to_be_visible()
    expect(billing.get_by_role("region", name=DECLINED)).to_be_hidden()

    page.clock.run_for(BANNER_ASKED_MS)
    expect(banner).to_be_hidden()
    assert page.evaluate("window.loaded") == "once"
    assert isinstance(customer.call(), Answered)
    assert (customer.account.balance, customer.charged) == (CREDITS - 1, (1, 500))


def test_a_dismissed_banner_comes_back_with_a_fresh_failure(
    new_page: OpenPage, customer: Customer, declined: str
) -> None:
    viewer = f"viewer-{customer.owner}"
    customer.ledger.members.set_member(customer.id, Member(viewer, Role.VIEWER))
    page, other = customer.sign_in(new_page()), customer.sign_in(new_page(), viewer)
    page.goto(customer.calls_path)
    banner = page.get_by_role("region", name=DECLINED)
    banner.get_by_role("button", name="Dismiss").click()
    for path in (customer.calls_path, customer.settings_path, customer.billing_path):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(banner).to_have_count(0)
    other.goto(customer.calls_path)
    expect(other.get_by_role("region", name=DECLINED)).to_be_visible()

    first = customer.account.incident_id
    page.clock.install()
    page.get_by_role("button", name="Retry the charge").click()
    expect(page.get_by_text("The charge is being tried again.", exact=True)).to_be_visible()
    wait_until(lambda: customer.account.incident_id not in ("", first))
    page.clock.run_for(BANNER_ASKED_MS)
    expect(banner).to_be_visible()


def test_a_card_saved_by_a_tick_and_a_receipt_by_mail(
    new_page: OpenPage, customer: Customer
) -> None:
    page = customer.sign_in(new_page())
    page.goto(customer.buy_path)
    page.get_by_role("button", name="Buy 50").click()
    page.get_by_label("Save payment details").check()
    fill_in(page, "Pay $12.50")
    expect(page.get_by_role("heading", name="50 credits added")).to_be_visible()
    wait_until(lambda: customer.account.card)
    assert (customer.account.balance, customer.charged) == (50, (1, 1250))
    page.goto(customer.link_in("Receipt: 50 credits bought"))
    expect(page.get_by_text("50 credits", exact=True).first).to_be_visible()
    page.goto(customer.billing_path)
    expect(page.get_by_text("Visa ending in 4242").first).to_be_visible()


def test_enabling_it_below_the_threshold_charges_as_was_told(
    new_page: OpenPage, customer: Customer
) -> None:
    control = customer.stack.control
    customer.attach(GOOD)
    customer.give(3)
    page = customer.sign_in(new_page())
    page.goto(customer.settings_path)
    page.get_by_label("Low-balance threshold").fill("5")
    page.get_by_label("Top-up amount").fill("20")
    page.get_by_label("Enable Auto Top-Off").check()
    expect(page.get_by_text("charges $5.00 at once")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Save, and charge $5.00 now?")).to_be_visible()
    assert customer.charged == (0, 0)

    control.add_fault("hang_before", **CONFIRM)
    page.get_by_role("button", name="Save and charge $5.00").click()
    expect(page.get_by_text("A charge of $5.00 is on its way.")).to_be_visible()
    assert control.held(count=1, wait_s=10)
    page.goto(customer.billing_path)
    expect(page.get_by_role("heading", name="A charge is on its way")).to_be_visible()
    control.release()
    expect(page.get_by_text("23 credits", exact=True).first).to_be_visible()
    expect(page.get_by_role("heading", name="A charge is on its way")).to_be_hidden()
    assert customer.charged == (1, 500)
    customer.letter("Auto top-off: 20 credits added")


def test_a_spending_cap_is_reached_and_raised(new_page: OpenPage, customer: Customer) -> None:
    customer.attach(GOOD)
    customer.give(3)
    page = customer.sign_in(new_page())
    _save_settings(page, customer, threshold="3", amount="20", cap="5.00")
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    assert isinstance(customer.call(), Answered)
    wait_until(lambda: customer.account.balance == 2 + CREDITS)
    customer.ledger.accounts.remove_credits(customer.id, CREDITS, reference="used", cause="test")
    assert [type(customer.call()) for _ in range(3)] == [Answered, Answered, Dropped]
    assert customer.charged == (1, 500)
    customer.letter("Your spending cap for auto top-offs is reached")

    _open_calls(page, customer, "Balance empty, spending cap reached")
    banner = page.get_by_role("region", name="Your spending cap is reached")
    expect(banner).to_contain_text("no more automatic top-offs")
    expect(banner).to_contain_text("$5.00 of $5.00 used")
    banner.get_by_role("link", name="Change the Cap").click()
    _save_settings(page, customer, threshold="3", amount="20", cap="10")
    page.get_by_role("button", name="Save and charge $5.00").click()
    expect(page.get_by_text("A charge of $5.00 is on its way.")).to_be_visible()
    expect(banner).to_have_count(0)
    wait_until(lambda: customer.account.balance == CREDITS)
    assert isinstance(customer.call(), Answered)


def _save_settings(
    page: Page, customer: Customer, *, threshold: str, amount: str, cap: str
) -> None:
    page.goto(customer.settings_path)
    page.get_by_label("Low-balance threshold").fill(threshold)
    page.get_by_label("Top-up amount").fill(amount)
    page.get_by_role("textbox", name="spending cap").fill(cap)
    page.get_by_label("Enable Auto Top-Off").check()
    expect(page.get_by_text(f"but no more than ${float(cap):.2f} in")).to_be_visible()
    page.get_by_role("button", name="Save").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_link_signs_in_once(new_page: OpenPage, customer: Customer, scripts: bool) -> None:
    view = View(DESK, "light", scripts=scripts)
    page = new_page(view)
    page.goto(customer.billing_path)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("E-mail address").fill(customer.owner)
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_text("on its way")).to_be_visible()
    link = customer.link_in("Sign in to")
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(f"{customer.billing_path}$"))

    again = new_page(view)
    again.goto(link)
    expect(again.get_by_role("heading", level=1)).to_contain_text("does not work any more")
    again.get_by_role("link", name="Ask for a new link").click()
    expect(again.get_by_label("E-mail address")).to_be_visible()

    page.locator("#menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto(customer.billing_path)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_viewer_sees_and_cannot_pay(
    new_page: OpenPage, customer: Customer, declined: str
) -> None:
    viewer = f"viewer-{customer.owner}"
    customer.ledger.members.set_member(customer.id, Member(viewer, Role.VIEWER))
    page = customer.sign_in(new_page(), viewer)
    for path in (customer.billing_path, customer.calls_path, customer.settings_path):
        page.goto(path)
        expect(page.get_by_role("region", name=DECLINED)).to_be_visible()
        for name in ("Buy Credits", "Update Payment Method", "Retry the charge", "Save"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
            expect(page.get_by_role("link", name=name)).to_have_count(0)
    paths = (customer.buy_path, customer.card_path, f"{customer.card_path}/remove")
    posts = (*paths, f"{customer.billing_path}/retry", customer.settings_path)
    assert [_post(page, path) for path in posts] == [403] * len(posts)
    assert [page.request.get(path).status for path in paths] == [403] * len(paths)


def _open_calls(page: Page, customer: Customer, said: str) -> None:
    """Open the list of calls, until the relay has brought the one of which this is said."""
    listed = page.get_by_role("table", name="Calls").get_by_text(said)

    def is_listed() -> bool:
        page.goto(customer.calls_path)
        return listed.is_visible()

    wait_until(is_listed)


def _post(page: Page, path: str) -> int:
    """Post what a form of the page would, by hand; returns the status."""
    token = page.locator("[name=csrf_token]").first.input_value()
    return page.request.post(path, form={"csrf_token": token}).status
