"""A ledger beside a sandbox Stripe, and accounts that are about to be charged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import stripe

from gatekeeper.domain.account import Account, Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.incident import Incident
from gatekeeper.domain.topoff import Topoff
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.charging import ChargeResult, OutcomeUnknown, charge_topoff
from gatekeeper.payments.client import stripe_client
from gatekeeper.sandbox.stripe import SandboxControl
from tests.conftest import MovableClock

KEY = "sk_test_of_the_till"
SECRET = "whsec_of_the_till"
PRICE_MINOR = 25
CREDITS = 200
AMOUNT_MINOR = PRICE_MINOR * CREDITS


def connect(base_url: str, *, timeout_s: float = 5.0) -> stripe.StripeClient:
    """Make a client that gives up at once, for tests in which Stripe fails."""
    return stripe.StripeClient(
        KEY,
        base_addresses={"api": base_url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout_s),
    )


@dataclass(frozen=True)
class Debtor:
    """An account with a requested top-off."""

    account_id: str
    topoff_id: str
    card: Card

    @property
    def task(self) -> str:
        return f"charge:{self.topoff_id}"


class Till:
    """Requests top-offs and charges them."""

    def __init__(
        self,
        ledger: Ledger,
        control: SandboxControl,
        base_url: str,
        clock: MovableClock | None = None,
    ) -> None:
        self.ledger = ledger
        self.control = control
        self.base_url = base_url
        self.clock = clock or MovableClock()
        self.stripe = connect(base_url)

    def debtor(
        self, card: str = "4242424242424242", outcome: dict[str, Any] | None = None
    ) -> Debtor:
        """Open an account whose card is about to be charged for 200 credits."""
        account_id = new_account_id()
        self.ledger.accounts.open_account(NewAccount(account_id, "Ada", "ada@example.com"))
        saved = self.new_card(card, outcome)
        self.ledger.accounts.set_card(account_id, saved)
        topoff_id = self.switch(account_id, on=True)
        assert topoff_id
        return Debtor(account_id, topoff_id, saved)

    def new_card(self, card: str, outcome: dict[str, Any] | None = None) -> Card:
        made = self.control.create_customer(card=card, outcome=outcome)
        method = made["payment_method"]
        return Card(
            made["customer"]["id"], method["id"], "visa", method["card"]["last4"], "01/2031"
        )

    def switch(self, account_id: str, *, on: bool) -> str:
        settings = TopoffSettings(enabled=on, threshold=50, amount=CREDITS)
        return self.ledger.accounts.set_topoff(account_id, settings)

    def charge(
        self, debtor: Debtor, *, with_client: stripe.StripeClient | None = None
    ) -> ChargeResult:
        return charge_topoff(
            debtor.topoff_id,
            topoffs=self.ledger.topoffs,
            stripe=with_client or self.stripe,
            price_minor=PRICE_MINOR,
            currency="usd",
            clock=self.clock,
        )

    def charge_until_known(self, debtor: Debtor, runs_max: int = 4) -> ChargeResult:
        """Do what the relay does: bring the job back until it knows how it ended."""
        for _ in range(runs_max):
            try:
                return self.charge(debtor)
            except OutcomeUnknown:
                assert self.topoff(debtor).state.in_flight
                assert self.is_owed(debtor)
        raise AssertionError("the outcome is still unknown")

    def patient_client(self) -> stripe.StripeClient:
        """Make the client that production has."""
        return stripe_client(KEY, self.base_url)

    def topoff(self, debtor: Debtor) -> Topoff:
        return self.ledger.topoffs.topoff(debtor.topoff_id)

    def account(self, debtor: Debtor) -> Account:
        return self.ledger.accounts.account(debtor.account_id)

    def incident(self, debtor: Debtor) -> Incident | None:
        return self.ledger.accounts.incident(debtor.account_id)

    def is_owed(self, debtor: Debtor) -> bool:
        return self.ledger.owed.is_owed(debtor.account_id, debtor.task)

    def intent(self, debtor: Debtor) -> stripe.PaymentIntent:
        return self.stripe.v1.payment_intents.retrieve(self.topoff(debtor).payment_intent)

    def charged(self, debtor: Debtor) -> int:
        """Count the successful charges of a customer."""
        return len(self._charges(debtor, "succeeded"))

    def refused(self, debtor: Debtor) -> int:
        """Count the declined charges of a customer."""
        return len(self._charges(debtor, "failed"))

    def _charges(self, debtor: Debtor, status: str) -> list[stripe.Charge]:
        found = self.stripe.v1.charges.list({"customer": debtor.card.customer}).data
        return [charge for charge in found if charge.status == status]

    def emails(self, debtor: Debtor) -> list[str]:
        """List the kinds of the e-mails owed to an account."""
        shard = self.ledger.keys.shard_of(debtor.account_id)
        tasks = (task.split(":") for task, _ in self.ledger.owed.tasks(shard))
        return [t[1] for t in tasks if t[0] == "email" and t[2].startswith(debtor.account_id)]

    def assert_credited_once(self, debtor: Debtor) -> None:
        """Assert what a customer would check: one charge, its credits, one e-mail."""
        assert self.charged(debtor) == 1
        assert self.account(debtor).balance == CREDITS
        assert self.account(debtor).topoff_id == ""
        assert self.emails(debtor) == ["topoff_succeeded"]
        assert not self.is_owed(debtor)

    def assert_not_charged(self, debtor: Debtor) -> None:
        assert self.charged(debtor) == 0
        assert self.account(debtor).balance == 0
