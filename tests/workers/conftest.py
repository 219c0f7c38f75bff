"""The parts of a worker, on a real Valkey, a sandbox Stripe and a mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.bootstrap import Parts, parts
from gatekeeper.sandbox.mailbox import Mailbox
from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.payments.till import KEY, Till


@pytest.fixture(scope="session")
def running_stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe() as sandbox:
        yield sandbox


@pytest.fixture
def control(running_stripe: SandboxStripe) -> Iterator[SandboxControl]:
    control = SandboxControl(running_stripe.base_url)
    yield control
    control.reset()


@pytest.fixture(scope="session")
def running_mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def settings(
    valkey: EmbeddedValkey, running_stripe: SandboxStripe, running_mailbox: Mailbox
) -> dict[str, str]:
    """What a deployment's environment has."""
    return {
        "PUBLIC_URL": "http://127.0.0.1",
        "REDIS_URL": valkey.url,
        "TWILIO_ACCOUNT_SID": "AC" + "5a" * 16,
        "TWILIO_AUTH_TOKEN": "not-used-here",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": "whsec_not_used_here",
        "STRIPE_API_BASE": running_stripe.base_url,
        "SMTP_URL": running_mailbox.smtp_url,
        "MAIL_FROM": "billing@gatekeeper.example",
        "CREDIT_PRICE": "25",
        "SECRET_KEY": "k" * 32,
        "ADMIN_EMAILS": "oncall@gatekeeper.example",
        "ANSWER_URL": "https://receptionist.example.com/twiml",
    }


@pytest.fixture
def own(
    settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Parts]:
    """This process's parts, as a job finds them; the ledger and the queues are empty."""
    monkeypatch.chdir(tmp_path)  # away from a developer's .env
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    parts.cache_clear()
    parts().ledger.client.flushall()
    yield parts()
    parts.cache_clear()


@pytest.fixture
def till(own: Parts, control: SandboxControl, running_stripe: SandboxStripe) -> Till:
    return Till(own.ledger, control, running_stripe.base_url)
