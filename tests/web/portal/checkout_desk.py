"""Able's account on its way to Checkout and back, before a sandbox Stripe."""

from __future__ import annotations

import re
from html import unescape

from werkzeug.test import TestResponse

from gatekeeper.domain.account import Card
from gatekeeper.domain.entry import EntryType
from gatekeeper.jobs import checkout_task
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.payments.charging import ChargeOutcome, charge_topoff
from gatekeeper.payments.finishing import CheckoutOutcome, finish_checkout
from gatekeeper.sandbox.stripe import SandboxControl, pay_checkout
from tests.web.gate import PUBLIC_URL
from tests.web.portal.billing_desk import BillingDesk, words_of
from tests.web.portal.browser import Browser

_TOKEN = re.compile(r'name="token" value="([^"]+)"')


class CheckoutDesk(BillingDesk):
    """An account whose people go to Checkout."""

    @property
    def buy_path(self) -> str:
        return f"/a/{self.id}/buy"

    @property
    def card_path(self) -> str:
        return f"/a/{self.id}/settings/card"

    @property
    def control(self) -> SandboxControl:
        base_url = self.scene.gate.parts.settings.stripe_api_base.get_secret_value()
        return SandboxControl(base_url)

    def card(self, payment_method: str = "") -> CheckoutDesk:
        """Attach a card that Stripe knows, the named one unless that is left to it."""
        made = self.control.create_customer(card="4242424242424242")
        own = payment_method or made["payment_method"]["id"]
        card = Card(made["customer"]["id"], own, "visa", "4242", "12/2031")
        self.ledger.accounts.set_card(self.id, card)
        return self

    def charge(self) -> ChargeOutcome:
        """Let Stripe really charge the top-off in flight."""
        parts = self.scene.gate.parts
        return charge_topoff(
            self.account.topoff_id,
            topoffs=self.ledger.topoffs,
            stripe=parts.stripe,
            price_minor=parts.settings.credit_price,
            currency=parts.settings.currency,
            clock=wall_clock_ms,
        ).outcome

    def new_token(self, browser: Browser, page: str) -> str:
        """The token of a form as it is rendered now."""
        tokens = set(_TOKEN.findall(browser.open(page).text))
        assert len(tokens) == 1, page
        return unescape(tokens.pop())

    def send(self, browser: Browser, page: str, token: str = "", **fields: str) -> TestResponse:
        """Send the form of a page, a fresh one unless the token is told."""
        token = token or self.new_token(browser, page)
        return browser.submit(page, page=page, token=token, **fields)

    def start(self, browser: Browser, page: str, token: str = "", **fields: str) -> str:
        """Send the form; returns the address of the page of Checkout."""
        answer = self.send(browser, page, token, **fields)
        assert answer.status_code == 303, words_of(answer.text)
        return answer.headers["Location"]

    def come_back(self, browser: Browser, location: str | None) -> str:
        """Follow where Checkout sends the browser; returns the path of the page that stays."""
        assert location is not None
        assert location.startswith(PUBLIC_URL)
        answer = browser.open(location.removeprefix(PUBLIC_URL))
        assert answer.status_code == 303
        return answer.headers["Location"]

    def paid(
        self, browser: Browser, page: str, *, card: str = "4242424242424242", **fields: str
    ) -> str:
        """Go to Checkout, fill it in and come back; returns the path of the page that watches."""
        visit = pay_checkout(self.start(browser, page, **fields), card=card)
        return self.come_back(browser, visit.location)

    @property
    def owed_looks(self) -> dict[str, int]:
        """Which visits are owed a look, and when."""
        tasks = self.ledger.owed.tasks(self.ledger.keys.shard_of(self.id))
        prefix = checkout_task(self.id)
        return {task.partition(":")[2]: at for task, at in tasks if task.startswith(prefix)}

    def work(self) -> list[CheckoutOutcome]:
        """Do what is owed now of visits, as a worker does."""
        now_ms = wall_clock_ms()
        return [self.look(one) for one, due_ms in self.owed_looks.items() if due_ms <= now_ms]

    def look(self, visit_id: str) -> CheckoutOutcome:
        return finish_checkout(
            visit_id,
            ledger=self.ledger,
            stripe=self.scene.gate.parts.stripe,
            clock=wall_clock_ms,
        )

    @property
    def purchases(self) -> list[int]:
        """How many credits each purchase brought."""
        return [
            entry.purchased_delta
            for entry in self.ledger.log.entries(self.id)
            if entry.type is EntryType.PURCHASE_SUCCEEDED
        ]

    @property
    def last4(self) -> str:
        return self.account.card.last4 if self.account.card else ""


def page_says(browser: Browser, path: str, status: int = 200) -> str:
    """What a page says."""
    answer = browser.open(path)
    assert answer.status_code == status, answer.text
    return words_of(answer.text)
