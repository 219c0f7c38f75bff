"""A sandbox Stripe, and the unmodified stripe library pointed at it."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
import stripe

from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from tests.sandbox.stripe.endpoint import Endpoint
from tests.sandbox.stripe.shop import SECRET, connect


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
