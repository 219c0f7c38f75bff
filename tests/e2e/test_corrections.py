"""Money goes back at Stripe, and credits follow: every process up, the way that production goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.client import stripe_client
from gatekeeper.sandbox.stack import STRIPE_KEY, LocalStack
from tests.conftest import wait_until
from tests.e2e.books import CREDITS, PRICE_MINOR, Books, Customer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory: Path = tmp_path_factory.mktemp("corrections")
    with LocalStack(directory) as stack:
        stack.start()
        yield stack


@pytest.fixture
def ledger(stack: LocalStack) -> Iterator[Ledger]:
    with closing(connect(stack.valkey.url, timeout_s=5, max_connections=4)) as client:
        yield Ledger(client)


@pytest.fixture
def books(stack: LocalStack, ledger: Ledger) -> Books:
    return Books(ledger, stack.control, stack.mailbox.deliveries)


def settled(stack: LocalStack, ledger: Ledger, books: Books, customer: Customer) -> bool:
    """Whether Stripe has told everything, and nothing that it told is owed any more."""
    stack.check_running()
    told = {delivery["state"] for delivery in stack.control.webhooks(wait_s=10)}
    assert told <= {"acknowledged"}
    corrections = [task for task, _ in ledger.owed.tasks(0) if task.startswith("correction:")]
    return not (books.is_in_flight(customer) or books.owed(customer) or corrections)


def test_a_refund_comes_back_as_credits_and_charges_nothing(
    stack: LocalStack, ledger: Ledger, books: Books
) -> None:
    stack.control.configure_webhooks(copies=2)
    customer = books.open()
    wait_until(lambda: settled(stack, ledger, books, customer))
    books.assert_paid_once(customer)

    paid = ledger.topoffs.topoff(books.topoff_id(customer)).payment_intent
    stripe = stripe_client(STRIPE_KEY, stack.stripe.base_url)
    stripe.v1.refunds.create({"payment_intent": paid, "amount": 16 * PRICE_MINOR})
    wait_until(lambda: settled(stack, ledger, books, customer))

    account = books.account(customer)
    assert account.balance == CREDITS - 16 < account.topoff.threshold
    assert not account.topoff.enabled
    assert [email.header("Subject") for email in books.emails(customer)] == [
        f"Auto top-off: {CREDITS} credits added",
        "Payment refunded: 16 credits removed",
    ]
    books.assert_charged_once(customer)

    # The customer's other money goes too, and the bank decides that this payment stands.
    charge = stripe.v1.payment_intents.retrieve(paid).latest_charge
    dispute = stack.control.open_dispute(str(charge))
    wait_until(lambda: books.account(customer).balance == 0)
    stack.control.close_dispute(dispute, "won")
    wait_until(lambda: books.account(customer).balance == CREDITS - 16)
    wait_until(lambda: settled(stack, ledger, books, customer))
    assert len(books.emails(customer)) == 3
    books.assert_charged_once(customer)
