"""Accounts whose people go to Checkout, and the events that come of it."""

from __future__ import annotations

from typing import Any

import stripe

from gatekeeper.domain.account import Account, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.checkout import Checkout
from gatekeeper.domain.entry import EntryType
from gatekeeper.jobs import checkout_task
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.checkout import start_card_setup, start_purchase
from gatekeeper.payments.events import StripeEvent
from gatekeeper.payments.finishing import CheckoutOutcome, finish_checkout
from gatekeeper.payments.telling import EventOutcome, apply_event
from gatekeeper.sandbox.stripe import Visit, pay_checkout
from tests.payments.till import PRICE_MINOR, Till

SHOP = "http://127.0.0.1:9/billing"
BOUGHT = 500
PAID_MINOR = BOUGHT * PRICE_MINOR


class Buyer:
    """An account, and a person who pays for it."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.ledger: Ledger = till.ledger
        self.id = new_account_id()
        self.ledger.accounts.open_account(NewAccount(self.id, "Ada", "ada@example.com"))
        self._heard: set[str] = set()

    def buy(
        self,
        credits: int = BOUGHT,
        *,
        token: str = "form",
        with_client: stripe.StripeClient | None = None,
    ) -> str:
        """Send the form; returns the page's address."""
        return start_purchase(
            self.id,
            credits,
            token=token,
            success_url=f"{SHOP}?checkout={{checkout}}",
            cancel_url=f"{SHOP}/buy",
            ledger=self.ledger,
            stripe=with_client or self.till.stripe,
            price_minor=PRICE_MINOR,
            currency="usd",
            clock=self.till.clock,
        )

    def set_up(self, *, token: str = "form") -> str:
        return start_card_setup(
            self.id,
            token=token,
            success_url=f"{SHOP}?checkout={{checkout}}",
            cancel_url=f"{SHOP}/cards",
            ledger=self.ledger,
            stripe=self.till.stripe,
            clock=self.till.clock,
        )

    def pay(self, url: str, **typed: Any) -> str:
        """Fill the page in; returns the visit's id, which the person is sent back with."""
        visit: Visit = pay_checkout(url, **typed)
        assert visit.location is not None
        return visit.location.rpartition("=")[2]

    def bought(self, **typed: Any) -> str:
        """Buy and pay; returns the visit's id. Nobody tells the ledger."""
        return self.pay(self.buy(), **typed)

    def events(self, *prefixes: str) -> list[StripeEvent]:
        """Return what Stripe has to tell since the last time, oldest first."""
        found = self.till.stripe.v1.events.list(params={"limit": 100}).auto_paging_iter()
        fresh = [event.to_dict() for event in found if event.id not in self._heard]
        self._heard |= {fields["id"] for fields in fresh}
        wanted = [fields for fields in fresh if fields["type"].startswith(prefixes or "")]
        return [StripeEvent.read(fields) for fields in reversed(wanted)]

    def tell(self, *events: StripeEvent) -> list[EventOutcome]:
        return [apply_event(event, self.ledger, price_minor=PRICE_MINOR) for event in events]

    def hear(self) -> None:
        """Tell the ledger all there is, and do what is owed now."""
        self.tell(*self.events())
        self.work()

    def work(self) -> list[CheckoutOutcome]:
        """Run each job that is due, as the relay does."""
        return [self.finish(checkout_id) for checkout_id in self.due()]

    def due(self) -> list[str]:
        now_ms = self.till.clock()
        return [checkout_id for checkout_id, due_ms in self.owed().items() if due_ms <= now_ms]

    def owed(self) -> dict[str, int]:
        """Return which visits are owed a look, and when."""
        shard = self.ledger.keys.shard_of(self.id)
        prefix = checkout_task(self.id)
        return {
            task.partition(":")[2]: due_ms
            for task, due_ms in self.ledger.owed.tasks(shard)
            if task.startswith(prefix)
        }

    def finish(self, checkout_id: str, ledger: Ledger | None = None) -> CheckoutOutcome:
        """Run the job once."""
        return finish_checkout(
            checkout_id,
            ledger=ledger or self.ledger,
            stripe=self.till.stripe,
            clock=self.till.clock,
        )

    def visit(self, checkout_id: str) -> Checkout:
        found = self.ledger.checkouts.find(checkout_id)
        assert found is not None
        return found

    @property
    def account(self) -> Account:
        return self.ledger.accounts.account(self.id)

    @property
    def last4(self) -> str:
        """The last four digits of the account's card."""
        return self.account.card.last4 if self.account.card else ""

    @property
    def default_card(self) -> str | None:
        """The customer's default payment method at Stripe."""
        customer = self.till.stripe.v1.customers.retrieve(self.ledger.customers.of_account(self.id))
        settings = customer.invoice_settings
        assert settings is not None
        return str(settings.default_payment_method) if settings.default_payment_method else None

    def customers(self) -> int:
        return len(self.till.stripe.v1.customers.list({"limit": 100}).data)

    def purchases(self) -> list[tuple[str, str, int, str]]:
        """List what was bought: reference, cause, credits, detail."""
        return [
            (entry.ref, entry.cause, entry.purchased_delta, entry.detail)
            for entry in self.ledger.log.entries(self.id)
            if entry.type is EntryType.PURCHASE_SUCCEEDED
        ]

    def emails(self) -> list[str]:
        shard = self.ledger.keys.shard_of(self.id)
        tasks = (task.split(":") for task, _ in self.ledger.owed.tasks(shard))
        return [t[1] for t in tasks if t[0] == "email" and t[2].startswith(self.id)]

    def switch_on(self, *, threshold: int = 50, amount: int = 200) -> str:
        """Switch automatic top-offs on; returns the id of the one in flight."""
        settings = TopoffSettings(enabled=True, threshold=threshold, amount=amount)
        return self.ledger.accounts.set_topoff(self.id, settings)

    def assert_credited_once(self, checkout_id: str) -> None:
        """Assert what a customer and an auditor would check."""
        visit = self.visit(checkout_id)
        paid = (visit.state, visit.credits, visit.amount_minor, visit.currency)
        assert paid == ("succeeded", BOUGHT, PAID_MINOR, "usd")
        assert self.purchases() == [
            (checkout_id, visit.payment_intent, BOUGHT, f"{PAID_MINOR} usd")
        ]
        assert self.account.balance == BOUGHT
        assert self.emails() == ["purchase_succeeded"]
        assert self.owed() == {}

    def assert_nothing_came_of_it(self) -> None:
        assert (self.account.balance, self.account.card) == (0, None)
        assert (self.purchases(), self.emails(), self.owed()) == ([], [], {})
        assert not list(self.ledger.client.scan_iter("gk:*:checkout:*"))
