"""A sandbox Stripe, and the unmodified stripe library pointed at it."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from tests.sandbox.stripe.endpoint import Endpoint
from tests.sandbox.stripe.shop import SECRET, connect
from tests.sandbox.stripe.subscribing import MID_FEBRUARY, Subscriber


class Buyer(NamedTuple):
    """A customer and the card that is its default."""

    customer: str
    card: str


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxStripe]:
    with SandboxStripe(webhook_secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: SandboxStripe) -> Iterator[SandboxStripe]:
    """An empty sandbox; whatever a test leaves held or queued ends with it."""
    yield running_sandbox
    SandboxControl(running_sandbox.base_url).reset()


@pytest.fixture
def control(sandbox: SandboxStripe) -> SandboxControl:
    return SandboxControl(sandbox.base_url)


@pytest.fixture
def client(sandbox: SandboxStripe) -> stripe.StripeClient:
    return connect(sandbox.base_url)


@pytest.fixture
def buyer(control: SandboxControl) -> Buyer:
    created = control.create_customer(card="4242424242424242", email="ada@example.com")
    return Buyer(created["customer"]["id"], created["payment_method"]["id"])


@pytest.fixture
def endpoint(control: SandboxControl) -> Iterator[Endpoint]:
    """A webhook endpoint that the sandbox delivers to, with quick retries."""
    with Endpoint() as endpoint:
        control.configure_webhooks(url=endpoint.url, retry_base_s=0.01)
        yield endpoint


@pytest.fixture
def ada(client: stripe.StripeClient, control: SandboxControl) -> Subscriber:
    """A customer for whom it is nine o'clock on the last day of January."""
    return Subscriber(client, control, since="2027-01-31T09:00")


@pytest.fixture
def cardless(client: stripe.StripeClient, control: SandboxControl) -> Subscriber:
    return Subscriber(client, control, since="2027-01-31T09:00", card=None)


@pytest.fixture
def subscription(ada: Subscriber) -> stripe.Subscription:
    """A subscription in the middle of its first period, from 31 January to 28 February."""
    made = ada.subscribe()
    ada.wait_until(MID_FEBRUARY)
    ada.told()
    return made
