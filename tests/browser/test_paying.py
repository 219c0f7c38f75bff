"""Paying in a browser, with every process up: credits bought, a failed card put right."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.incident import FailureReason
from gatekeeper.sandbox.caller import Answered, Dropped
from gatekeeper.sandbox.stack import LocalStack
from tests.browser.checks import check_accessible, check_fits, look
from tests.browser.chromium import DESK, VIEWS, View
from tests.browser.conftest import OpenPage
from tests.browser.customer import DECLINED, FAILS_LATER, GOOD, Customer, expect_in_time, fill_in
from tests.conftest import wait_until

pytestmark = pytest.mark.slow

CREDITS = 20
WITH_AND_WITHOUT_SCRIPTS = pytest.mark.parametrize(
    "view", [View(DESK, "light", scripts=scripts) for scripts in (True, False)], ids=str
)


@pytest.fixture
def base_url(stack: LocalStack) -> str:
    return stack.web_url


@WITH_AND_WITHOUT_SCRIPTS
def test_credits_are_bought(new_page: OpenPage, customer: Customer, view: View) -> None:
    page = customer.sign_in(new_page(view))
    page.goto(customer.settings_path)
    page.get_by_role("link", name="Buy Credits").click()
    page.get_by_role("button", name="Buy 200").click()
    expect(page.get_by_role("heading", name="Pay $50.00")).to_be_visible()
    fill_in(page, "Pay $50.00", DECLINED)
    expect(page.get_by_role("alert")).to_be_visible()
    assert customer.account.balance == 0
    fill_in(page, "Pay $50.00")
    expect_in_time(page, view, page.get_by_role("heading", name="200 credits added"))
    expect(page.get_by_text("Your balance is now 200 credits.")).to_be_visible()
    receipt = page.get_by_role("link", name="Receipt")
    assert (receipt.get_attribute("href") or "").startswith(customer.stack.stripe.base_url)
    assert customer.account.balance == 200
    assert isinstance(customer.call(), Answered)


@WITH_AND_WITHOUT_SCRIPTS
def test_a_number_of_ones_own_and_a_change_of_mind(
    new_page: OpenPage, customer: Customer, view: View
) -> None:
    page = customer.sign_in(new_page(view))
    page.goto(customer.buy_path)
    page.get_by_label("Number of credits").fill("1")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Number of credits")).to_have_value("1")
    page.get_by_label("Number of credits").fill("350")
    if view.scripts:
        expect(page.get_by_text("$87.50 for 350 credits.")).to_be_visible()
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("heading", name="Pay $87.50")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_text("You left without paying. Nothing was charged.")).to_be_visible()
    expect(page.get_by_label("Number of credits")).to_have_value("350")
    assert customer.account.balance == 0


@WITH_AND_WITHOUT_SCRIPTS
def test_a_failed_card_is_put_right(new_page: OpenPage, customer: Customer, view: View) -> None:
    customer.give(3)
    customer.attach(FAILS_LATER)
    customer.ledger.accounts.set_topoff(customer.id, TopoffSettings(True, 3, CREDITS))
    assert isinstance(customer.call(), Answered)
    wait_until(lambda: customer.account.incident_id)
    assert [type(customer.call()) for _ in range(3)] == [Answered, Answered, Dropped]

    page = customer.sign_in(new_page(view))
    page.goto(customer.billing_path)
    banner = page.get_by_role("region", name=FailureReason.DECLINED.label)
    expect(banner).to_contain_text("Your card was declined")
    expect(banner).to_contain_text("Future calls may be dropped until this is resolved.")
    expect(banner).to_contain_text("$5.00 for 20 credits")
    banner.get_by_role("link", name="Update Payment Method").click()
    expect(page.get_by_text("saving a card charges $5.00 to it at once")).to_be_visible()
    page.get_by_role("button", name="Replace card").click()
    fill_in(page, "Save card")
    expect_in_time(page, view, page.get_by_role("heading", name="Your card is saved"))
    expect(page.get_by_text("Visa ending in 4242")).to_be_visible()
    expect(page.locator(".banner")).to_have_count(0)
    # The retry has begun by itself: a new card lifts the block.
    wait_until(lambda: customer.account.balance == CREDITS)
    page.get_by_role("link", name="Go to Billing").click()
    expect(page.get_by_text("20 credits", exact=True).first).to_be_visible()
    expect(page.locator(".banner")).to_have_count(0)
    assert isinstance(customer.call(), Answered)
    assert (customer.account.balance, customer.charged) == (CREDITS - 1, (1, 500))


@WITH_AND_WITHOUT_SCRIPTS
def test_a_card_is_removed(new_page: OpenPage, customer: Customer, view: View) -> None:
    customer.attach(GOOD)
    page = customer.sign_in(new_page(view))
    page.goto(customer.card_path)
    page.get_by_role("link", name="Remove card").click()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Remove card").click()
    page.get_by_role("button", name="Remove card").click()
    expect(page.get_by_text("Your card is removed.")).to_be_visible()
    expect(page.get_by_text("No card is attached.")).to_be_visible()


def test_every_page_fits_and_is_accessible(new_page: OpenPage, customer: Customer) -> None:
    page = customer.sign_in(new_page())
    for view, place in zip(itertools.cycle(VIEWS), _walk(page, customer), strict=False):
        look(page, view)
        expect(page.get_by_role("heading", name=place)).to_be_visible()
        check_fits(page)
        check_accessible(page)


def _walk(page: Page, customer: Customer) -> Iterator[str]:
    """Go to each page in each state; yields the heading to be seen there."""
    page.goto(f"{customer.buy_path}?credits=350&canceled=1")
    yield "Choose a pack"
    page.get_by_label("Number of credits").fill("0")
    page.get_by_role("button", name="Continue to payment").click()
    expect(page.get_by_role("alert")).to_be_visible()
    yield "Please look at one thing again"
    page.goto(f"{customer.buy_path}/done")
    yield "There is nothing to wait for"
    page.goto(customer.buy_path)
    page.get_by_role("button", name="Buy 50").click()
    yield "Pay $12.50"
    checkout = page.url
    page.goto(f"{customer.buy_path}/done?checkout={customer.visits[0]}")
    yield "Waiting for your payment"
    page.goto(checkout)
    fill_in(page, "Pay $12.50")
    expect(page.get_by_role("heading", name="50 credits added")).to_be_visible()
    yield "50 credits added"
    wait_until(lambda: not customer.visits)  # what is credited is struck off a moment later
    customer.ledger.accounts.set_topoff(customer.id, TopoffSettings(True, 60, 100))
    wait_until(lambda: customer.account.incident_id)
    page.goto(customer.card_path)
    yield "Card for automatic top-offs"
    page.get_by_role("button", name="Add a card").click()
    yield "Save a card for later"
    checkout = page.url
    page.goto(f"{customer.card_path}/done?checkout={customer.visits[0]}")
    yield "Saving your card"
    page.goto(checkout)
    fill_in(page, "Save card")
    expect(page.get_by_role("heading", name="Your card is saved")).to_be_visible()
    expect(page.locator(".banner")).to_have_count(0)
    yield "Your card is saved"
    page.goto(customer.card_path)
    yield "Card for automatic top-offs"
    page.get_by_role("link", name="Remove card").click()
    yield "Remove your Visa ending in 4242?"
