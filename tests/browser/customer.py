"""A customer of a Gatekeeper whose every process is up, and what they do at Checkout."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

from gatekeeper.domain.account import Account, Card
from gatekeeper.jobs import checkout_task
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.caller import Outcome
from gatekeeper.sandbox.mailbox import Delivery
from gatekeeper.sandbox.stack import LocalStack
from tests.browser.chromium import View
from tests.browser.paths import Paths
from tests.conftest import wait_until

GOOD, DECLINED = "4242 4242 4242 4242", "4000 0000 0000 0002"
#: Can be saved, and is declined when it is charged.
FAILS_LATER = "4000 0000 0000 0341"
_numbers = (f"+1555777{place:04}" for place in itertools.count())


@dataclass(frozen=True)
class Customer(Paths):
    """An account, its owner and its number."""

    ledger: Ledger
    stack: LocalStack
    id: str
    number: str = field(default_factory=lambda: next(_numbers))

    @property
    def account(self) -> Account:
        return self.ledger.accounts.account(self.id)

    @property
    def owner(self) -> str:
        return f"{self.id}@example.com"

    def sign_in(self, page: Page, email: str = "") -> Page:
        """Sign the owner in, or somebody else."""
        token = self.ledger.sessions.start(email or self.owner, "browser")
        cookie = {"name": "gatekeeper", "value": token, "url": self.stack.web_url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict
        return page

    def give(self, credits: int) -> None:
        self.ledger.accounts.add_credits(self.id, credits, reference="start", cause="test")

    def call(self) -> Outcome:
        with self.stack.caller() as caller:
            result = caller.call(to=self.number, from_="+15557654321")
        return result.rings[0].outcome

    def attach(self, number: str) -> str:
        """Attach a card that is saved at Stripe; returns its id there."""
        made = self.stack.control.create_customer(card=number.replace(" ", ""), email=self.owner)
        method = made["payment_method"]
        card = Card(
            made["customer"]["id"], method["id"], "visa", method["card"]["last4"], "12/2031"
        )
        self.ledger.accounts.set_card(self.id, card)
        return card.payment_method

    @property
    def charged(self) -> tuple[int, int]:
        """How many charges succeeded at Stripe, and what they came to, in minor units."""
        card = self.account.card
        assert card is not None
        sums = self.stack.control.charges()["customers"].get(card.customer, {})
        return sums.get("succeeded", 0), sums.get("succeeded_minor", 0)

    @property
    def visits(self) -> list[str]:
        """The visits to Checkout that are not finished."""
        prefix = checkout_task(self.id)
        tasks = self.ledger.owed.tasks(self.ledger.keys.shard_of(self.id))
        return [task.partition(":")[2] for task, _ in tasks if task.startswith(prefix)]

    def letters(self, subject: str) -> list[Delivery]:
        """List the e-mails to the owner whose subject begins so."""
        return [
            mail
            for mail in self.stack.mailbox.deliveries.all()
            if self.owner in mail.recipients and mail.header("Subject").startswith(subject)
        ]

    def letter(self, subject: str) -> Delivery:
        """Wait for such an e-mail."""
        wait_until(lambda: self.letters(subject))
        return self.letters(subject)[0]

    def link_in(self, subject: str) -> str:
        """Wait for an e-mail to the owner; returns its link to the portal."""
        text = self.letter(subject).text or ""
        found = re.search(rf"{re.escape(self.stack.web_url)}/\S+", text)
        assert found is not None, text
        return found[0]


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
