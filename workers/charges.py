"""The queue `charges`."""

from __future__ import annotations

from dataclasses import asdict

import structlog

from gatekeeper.bootstrap import parts
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.payments import finishing
from gatekeeper.payments.charging import charge_topoff


def charge(topoff_id: str) -> dict[str, str]:
    """Charge a card for a top-off. A decline is a result; raises what on-call must see."""
    own = parts()
    result = charge_topoff(
        topoff_id,
        topoffs=own.ledger.topoffs,
        stripe=own.stripe,
        price_minor=own.settings.credit_price,
        currency=own.settings.currency,
        clock=wall_clock_ms,
    )
    facts = asdict(result)
    structlog.get_logger().info("charge", topoff=topoff_id, **facts)
    return facts


def finish_checkout(checkout_id: str) -> str:
    """Credit or save what came of a visit to Checkout. Raises what on-call must see."""
    own = parts()
    outcome = finishing.finish_checkout(
        checkout_id, ledger=own.ledger, stripe=own.stripe, clock=wall_clock_ms
    )
    structlog.get_logger().info("checkout", checkout=checkout_id, outcome=outcome.value)
    return outcome.value
