"""Accounts that subscriptions drive, with their time moved here and at Stripe together."""

from __future__ import annotations

import itertools
from typing import Any

import stripe

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import Account, NewAccount, new_account_id
from gatekeeper.domain.call import CallEnd, CallId, Reason
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.subscription import Plans, SubscriptionTerms
from gatekeeper.jobs import subscription_task
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.events import StripeEvent
from gatekeeper.payments.subscriptions import (
    SubscriptionOutcome,
    link_subscription,
    read_subscription,
)
from gatekeeper.payments.telling import apply_event
from tests.conftest import MovableClock
from tests.payments.till import PRICE_MINOR, Till
from tests.sandbox.stripe.subscribing import Subscriber, at, item_of

STARTER, PRO = 100, 250
SINCE = "2027-01-31T09:00"
NUMBER = "+15550001111"
_sids = itertools.count()


class Member:
    """An account, and the customer whose subscription drives it."""

    def __init__(self, till: Till, clock: MovableClock, *, past_due_keeps: bool = True) -> None:
        self.ledger: Ledger = till.ledger
        self.control = till.control
        self.stripe = till.stripe
        self.clock = clock
        clock.now_ms = at(SINCE) * 1000
        self.customer = Subscriber(till.stripe, till.control, since=SINCE)
        allotments = {self.customer.starter: STARTER, self.customer.pro: PRO}
        self.plans = Plans(allotments, past_due_keeps)
        self.id = new_account_id()
        self.ledger.accounts.open_account(NewAccount(self.id, "Ada", "ada@example.com"))
        self._heard: set[str] = set()

    def subscribe(self, price: str | None = None, **params: Any) -> Member:
        self.subscription = self.customer.subscribe(price, **params)
        self.link()
        self.read_owed()
        return self

    def link(self) -> SubscriptionTerms:
        return link_subscription(
            self.account,
            self.subscription.id,
            ledger=self.ledger,
            stripe_api=self.stripe,
            plans=self.plans,
        )

    def wait_until(self, moment: str) -> None:
        """Let time pass, at Stripe first; nobody tells the ledger."""
        self.customer.wait_until(moment)
        self.clock.now_ms = at(moment) * 1000

    def update(self, **params: Any) -> None:
        self.customer.update(self.subscription, **params)
        self.hear()

    def switch(self, price: str, **params: Any) -> None:
        self.customer.switch(self.subscription, price, **params)
        self.hear()

    def events(self) -> list[StripeEvent]:
        """Return what Stripe has to tell since the last time, oldest first."""
        events = self.stripe.v1.events.list(params={"limit": 100}).auto_paging_iter()
        fresh = [event.to_dict() for event in events if event.id not in self._heard]
        self._heard |= {fields["id"] for fields in fresh}
        return [StripeEvent.read(fields) for fields in reversed(fresh)]

    def hear(self) -> None:
        """Tell the ledger each event once and in order, and do what is owed."""
        for event in self.events():
            apply_event(event, self.ledger, price_minor=PRICE_MINOR)
        self.read_owed()

    def read(self) -> SubscriptionOutcome:
        """Run the job once."""
        return read_subscription(
            self.id, ledger=self.ledger, stripe_api=self.stripe, plans=self.plans
        ).outcome

    def read_owed(self) -> None:
        while self.is_owed:
            self.read()

    @property
    def is_owed(self) -> bool:
        return self.ledger.owed.is_owed(self.id, subscription_task(self.id))

    def note_news(self) -> None:
        self.ledger.owed.note_owed(self.id, subscription_task(self.id))

    def call(self, call: CallId | None = None) -> Reason:
        return self.ledger.calls.admit_call(self.id, call or new_call(), NUMBER).verdict.reason

    def give_back(self, call: CallId) -> None:
        self.ledger.calls.settle_call(
            self.id, call, NUMBER, CallEnd.NO_ANSWER, duration_s=None, debit_unknown=True
        )

    @property
    def account(self) -> Account:
        return self.ledger.accounts.account(self.id)

    @property
    def allotment(self) -> int:
        return self.account.allotment

    def count(self, kind: EntryType) -> int:
        return sum(entry.type is kind for entry in self.ledger.log.entries(self.id))

    def assert_in_step(self) -> None:
        """Assert that the account's period is the one that Stripe is in, and that sums agree."""
        item = item_of(self.customer.now(self.subscription))
        account = self.account
        assert (account.cycle_start_ms, account.cycle_end_ms) == (
            item.current_period_start * 1000,
            item.current_period_end * 1000,
        )
        assert audit_ledger(self.ledger) == []

    def pay(self) -> None:
        """Pay the newest invoice by hand, with a card that works again."""
        self.control.set_outcome(self.customer.card, "succeed")
        self.stripe.v1.invoices.pay(self.customer.invoices(self.subscription)[0].id)
        self.hear()


def new_call() -> CallId:
    return CallId("AC" + "7" * 32, f"CA{next(_sids):032x}")


def connect_to_nobody() -> stripe.StripeClient:
    """Make a client of a Stripe that is not there."""
    return stripe.StripeClient(
        "sk_test_of_nobody", base_addresses={"api": "http://127.0.0.1:1"}, max_network_retries=0
    )
