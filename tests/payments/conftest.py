"""One sandbox Stripe for all tests of payments, emptied after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import MovableClock
from tests.payments.till import SECRET, Till


@pytest.fixture(scope="session")
def running_stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe(webhook_secret=SECRET) as sandbox:
        yield sandbox


@pytest.fixture
def ledger(valkey: EmbeddedValkey, clock: MovableClock) -> Iterator[Ledger]:
    client = connect(valkey.url, timeout_s=10, max_connections=32)
    client.flushall()
    yield Ledger(client, clock=clock)
    client.close()


@pytest.fixture
def till(running_stripe: SandboxStripe, ledger: Ledger, clock: MovableClock) -> Iterator[Till]:
    control = SandboxControl(running_stripe.base_url)
    yield Till(ledger, control, running_stripe.base_url, clock)
    control.reset()
