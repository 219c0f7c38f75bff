"""A person buys credits at Checkout: every process up, the way that production goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.payments.client import stripe_client
from gatekeeper.sandbox.stack import STRIPE_KEY, LocalStack
from tests.conftest import MovableClock, wait_until
from tests.payments.buyers import BOUGHT, Buyer
from tests.payments.till import Till

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory: Path = tmp_path_factory.mktemp("purchases")
    with LocalStack(directory) as stack:
        stack.start()
        yield stack


@pytest.fixture
def buyer(stack: LocalStack) -> Iterator[Buyer]:
    with closing(connect(stack.valkey.url, timeout_s=5, max_connections=4)) as client:
        clock = MovableClock(wall_clock_ms())
        till = Till(Ledger(client), stack.control, stack.stripe.base_url, clock)
        till.stripe = stripe_client(STRIPE_KEY, stack.stripe.base_url)
        yield Buyer(till)


@pytest.mark.parametrize("copies", [1, 2])
def test_credits_card_and_receipt_come_by_themselves(
    stack: LocalStack, buyer: Buyer, copies: int
) -> None:
    stack.control.configure_webhooks(copies=copies)
    visit_id = buyer.bought(save=True)
    wait_until(lambda: buyer.account.balance == BOUGHT)
    wait_until(lambda: not buyer.owed() and not buyer.emails())
    assert {each["state"] for each in stack.control.webhooks(wait_s=10)} <= {"acknowledged"}
    assert [ref for ref, *_ in buyer.purchases()] == [visit_id]
    assert buyer.last4 == "4242"
    assert buyer.account.card is not None
    assert buyer.default_card == buyer.account.card.payment_method
    letters = [mail.header("Subject") for mail in stack.mailbox.deliveries.all()]
    assert letters == [f"Receipt: {BOUGHT} credits bought"]
    stack.mailbox.deliveries.clear()
    stack.check_running()
