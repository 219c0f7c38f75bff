"""The queue `upkeep`."""

from __future__ import annotations

from dataclasses import asdict

import structlog

from gatekeeper.bootstrap import parts
from gatekeeper.payments import card_news, corrections, subscriptions


def look_at_threshold(account_id: str) -> str:
    """Look at an account's threshold at the end of a cool-down."""
    return parts().ledger.topoffs.look_at_threshold(account_id).value


def turn_cycle(account_id: str) -> str:
    """Start an account's new billing cycle, unless its first call has."""
    ledger = parts().ledger
    started = ledger.cycles.turn(ledger.accounts.account(account_id))
    return "started" if started else "had_started"


def read_subscription(account_id: str) -> dict[str, str]:
    """Make an account follow the subscription that drives it. Raises what on-call must see."""
    own = parts()
    result = subscriptions.read_subscription(
        account_id, ledger=own.ledger, stripe_api=own.stripe, plans=own.settings.stripe_plans
    )
    facts = asdict(result)
    structlog.get_logger().info("subscription", account=account_id, **facts)
    return facts


def follow_card(account_id: str) -> str:
    """Make an account's card follow what Stripe says of it. Raises what on-call must see."""
    own = parts()
    outcome = card_news.follow_card(account_id, ledger=own.ledger, stripe_api=own.stripe)
    log = structlog.get_logger()
    tell = log.error if outcome.needs_a_person else log.info
    tell("card", account=account_id, outcome=outcome.value)
    return outcome.value


def correct_payment(payment_intent: str) -> dict[str, str | int]:
    """Make a payment's credits follow from its refunds and disputes.

    Raises what on-call must see; what only a person can correct is done with, and logged as an
    error.
    """
    own = parts()
    result = corrections.correct_payment(
        payment_intent,
        ledger=own.ledger,
        stripe=own.stripe,
        price_minor=own.settings.credit_price,
    )
    facts = asdict(result)
    log = structlog.get_logger()
    tell = log.error if result.outcome.needs_a_person else log.info
    tell("correction", payment_intent=payment_intent, **facts)
    return facts
