"""A subscription changes at Stripe, and its account follows: every process up."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.client import stripe_client
from gatekeeper.sandbox.caller import Answered
from gatekeeper.sandbox.stack import STRIPE_KEY, LocalStack
from tests.conftest import wait_until
from tests.sandbox.stripe.subscribing import CARD, item_of

pytestmark = pytest.mark.slow

NUMBER = "+15550100199"


class StackWithPlans(LocalStack):
    """A stack whose plans are set once Stripe has their prices."""

    plans = ""

    @property
    def settings(self) -> dict[str, str]:
        return super().settings | {"PLANS": self.plans}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackWithPlans]:
    with StackWithPlans(tmp_path) as stack:
        yield stack


@pytest.fixture
def ledger(stack: LocalStack) -> Iterator[Ledger]:
    with closing(connect(stack.valkey.url, timeout_s=5, max_connections=4)) as client:
        yield Ledger(client)


def test_an_account_follows_its_subscription(stack: StackWithPlans, ledger: Ledger) -> None:
    stripe = stripe_client(STRIPE_KEY, stack.stripe.base_url).v1
    product = stripe.products.create({"name": "Receptionist"}).id
    starter, pro = (
        stripe.prices.create(
            {
                "product": product,
                "currency": "usd",
                "unit_amount": unit_amount,
                "recurring": {"interval": "month"},
            }
        ).id
        for unit_amount in (2900, 9900)
    )
    stack.plans = f"{starter}=100, {pro}=250"
    stack.start()
    stack.control.configure_webhooks(copies=2)

    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "able@example.com"))
    ledger.numbers.assign_number(NUMBER, account_id)
    customer = stack.control.create_customer(card=CARD)["customer"]["id"]
    made = stripe.subscriptions.create({"customer": customer, "items": [{"price": starter}]})
    link = ("account", "set", account_id, "--subscription", made.id)
    subprocess.run(
        [sys.executable, "-m", "gatekeeper", *link],
        env=stack.settings,
        cwd=stack.directory,
        check=True,
        timeout=30,
    )
    assert ledger.accounts.account(account_id).allotment == 100

    def becomes(allotment: int, status: str) -> None:
        stack.check_running()
        wait_until(
            lambda: (
                (
                    ledger.accounts.account(account_id).allotment,
                    ledger.accounts.account(account_id).subscription_status,
                )
                == (allotment, status)
            )
        )

    stripe.subscriptions.update(made.id, {"items": [{"id": item_of(made).id, "price": pro}]})
    becomes(250, "active")

    with stack.caller() as caller:
        assert isinstance(caller.call(to=NUMBER, from_="+15550200200").outcome, Answered)
    becomes(249, "active")

    stack.control.advance_clock(item_of(made).current_period_end + 3600)
    becomes(250, "active")
    item = item_of(stripe.subscriptions.retrieve(made.id))
    account = ledger.accounts.account(account_id)
    assert account.cycle_start_ms == item.current_period_start * 1000
    assert account.cycle_no == 2

    stripe.subscriptions.cancel(made.id)
    becomes(0, "canceled")
    stack.control.webhooks(wait_s=10)
    wait_until(lambda: not ledger.owed.is_owed(account_id, f"subscription:{account_id}"))
    becomes(0, "canceled")
