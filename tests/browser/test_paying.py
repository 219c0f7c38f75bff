"""Paying in a browser, with every process up: credits bought, a failed card put right."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from gatekeeper.domain.account import Account, Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.jobs import checkout_task
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.caller import Answered, Dropped, Outcome
from gatekeeper.sandbox.stack import LocalStack
from tests.browser.checks import check_accessible, check_fits
from tests.browser.chromium import DESK, VIEWS, View
from tests.browser.conftest import OpenPage
from tests.conftest import wait_until

pytestmark = pytest.mark.slow

GOOD, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
#: Can be saved, and is declined when it is charged.
FAILS_LATER = "4000000000000341"
CREDITS = 20
WITH_AND_WITHOUT_SCRIPTS = pytest.mark.parametrize(
    "view", [View(DESK, "light", scripts=scripts) for scripts in (True, False)], ids=str
)
_numbers = (f"+1555777{place:04}" for place in itertools.count())


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory: Path = tmp_path_factory.mktemp("paying")
    with LocalStack(directory) as stack:
        stack.start()
        yield stack


@pytest.fixture
def base_url(stack: LocalStack) -> str:
    return stack.web_url


@dataclass(frozen=True)
class Customer:
    """An account, its owner and its number."""

    ledger: Ledger
    stack: LocalStack
    id: str
    number: str

    @property
    def account(self) -> Account:
        return self.ledger.accounts.account(self.id)

    @property
    def buy_path(self) -> str:
        return f"/a/{self.id}/buy"

    @property
    def card_path(self) -> str:
        return f"/a/{self.id}/settings/card"

    def sign_in(self, page: Page) -> Page:
        token = self.ledger.sessions.start(self.account.email, "browser")
        cookie = {"name": "gatekeeper", "value": token, "url": self.stack.web_url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict
        return page

    def call(self) -> Outcome:
        with self.stack.caller() as caller:
            result = caller.call(to=self.number, from_="+15557654321")
        return result.rings[0].outcome

    def attach(self, number: str) -> None:
        made = self.stack.control.create_customer(card=number, email=self.account.email)
        method = made["payment_method"]
        card = Card(
            made["customer"]["id"], method["id"], "visa", method["card"]["last4"], "12/2031"
        )
        self.ledger.accounts.set_card(self.id, card)

    @property
    def visits(self) -> list[str]:
        """The visits to Checkout that are not finished."""
        prefix = checkout_task(self.id)
        tasks = self.ledger.owed.tasks(self.ledger.keys.shard_of(self.id))
        return [task.partition(":")[2] for task, _ in tasks if task.startswith(prefix)]


@pytest.fixture
def customer(stack: LocalStack) -> Iterator[Customer]:
    with closing(connect(stack.valkey.url, timeout_s=5, max_connections=4)) as client:
        ledger, account_id, number = Ledger(client), new_account_id(), next(_numbers)
        email = f"{account_id}@example.com"
        ledger.accounts.open_account(NewAccount(account_id, "Bright Smile Dental", email))
        ledger.numbers.assign_number(number, account_id)
        yield Customer(ledger, stack, account_id, number)


def fill_in(page: Page, button: str, card: str = GOOD) -> None:
    """Fill the page of Checkout in and send it."""
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiry date").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name on card").fill("Ada Lovelace")
    page.get_by_role("button", name=button).click()


def expect_in_time(page: Page, view: View, said: Locator) -> None:
    """Wait for what a page says by itself; without scripts by the link that it has for that."""
    refresh = page.get_by_role("link", name="Refresh")

    def is_said() -> bool:
        if not said.is_visible() and refresh.is_visible():
            refresh.click()
        return said.is_visible()

    if not view.scripts:
        wait_until(is_said)
    expect(said).to_be_visible()


@WITH_AND_WITHOUT_SCRIPTS
def test_credits_are_bought(new_page: OpenPage, customer: Customer, view: View) -> None:
    page = customer.sign_in(new_page(view))
    page.goto(f"/a/{customer.id}/receptionist/settings")
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
    customer.ledger.accounts.add_credits(customer.id, 3, reference="start", cause="test")
    customer.attach(FAILS_LATER)
    customer.ledger.accounts.set_topoff(customer.id, TopoffSettings(True, 3, CREDITS))
    assert isinstance(customer.call(), Answered)
    wait_until(lambda: customer.account.incident_id)
    assert [type(customer.call()) for _ in range(3)] == [Answered, Answered, Dropped]

    page = customer.sign_in(new_page(view))
    page.goto(f"/a/{customer.id}/settings/billing")
    expect(page.get_by_role("heading", name="Your card was declined")).to_be_visible()
    page.locator(".banner").get_by_role("link", name="Update Payment Method").click()
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


@WITH_AND_WITHOUT_SCRIPTS
def test_a_card_is_removed(new_page: OpenPage, customer: Customer, view: View) -> None:
    customer.attach(GOOD.replace(" ", ""))
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
        page.set_viewport_size({"width": view.width, "height": 800})
        page.emulate_media(color_scheme="dark" if view.scheme == "dark" else "light")
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
    expect(page.get_by_role("button", name="Pay $12.50")).to_be_visible()
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
    expect(page.get_by_role("button", name="Save card")).to_be_visible()
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
