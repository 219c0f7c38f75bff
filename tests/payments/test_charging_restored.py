"""Charges that a Redis restored from a backup has forgotten: found, not made again (R7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from gatekeeper.domain.topoff import TopoffState
from gatekeeper.payments.charging import (
    GIVE_UP_AFTER_S,
    LOOK_FIRST_AFTER_S,
    ChargeOutcome,
    ChargeResult,
    OutcomeUnknown,
)
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.payments.till import AMOUNT_MINOR, Debtor, Till

CREATE = "/v1/payment_intents"
DAY_S = 24 * 3600

BackUp = Callable[[], Callable[[], None]]


@pytest.fixture
def back_up(valkey: EmbeddedValkey) -> Iterator[BackUp]:
    """Take a backup of the ledger's Redis; what that returns restores it."""
    with Redis.from_url(valkey.url) as raw:

        def take() -> Callable[[], None]:
            kept = [(key, max(0, raw.pttl(key)), raw.dump(key)) for key in raw.scan_iter()]

            def restore() -> None:
                raw.flushdb()
                for key, ttl_ms, value in kept:
                    raw.restore(key, ttl_ms, value)

            return restore

        yield take


def a_day_passes(till: Till) -> None:
    """Let Stripe forget every idempotency key."""
    till.clock.advance(s=DAY_S + 3600)
    till.control.prune_idempotency_keys()


def intents_of(till: Till, debtor: Debtor) -> int:
    return len(till.stripe.v1.payment_intents.list({"customer": debtor.card.customer}).data)


def pay_otherwise(till: Till, debtor: Debtor, count: int) -> None:
    """Make newer payments of the customer, which are not for this top-off."""
    for n in range(count):
        till.stripe.v1.payment_intents.create(
            {
                "amount": AMOUNT_MINOR,
                "currency": "usd",
                "customer": debtor.card.customer,
                "metadata": {"topoff": f"{debtor.account_id}-{n:012x}"} if n % 2 else {},
            }
        )


def test_a_payment_made_since_the_backup_is_found_and_credited(till: Till, back_up: BackUp) -> None:
    debtor = till.debtor()
    restore = back_up()
    till.charge(debtor)
    paid = till.topoff(debtor).payment_intent
    restore()
    assert till.topoff(debtor).state is TopoffState.REQUESTED
    a_day_passes(till)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    assert till.topoff(debtor).payment_intent == paid
    assert till.topoff(debtor).card_last4 == "4242"
    till.assert_credited_once(debtor)


def test_it_is_found_behind_more_payments_than_a_page_has(till: Till, back_up: BackUp) -> None:
    debtor = till.debtor()
    restore = back_up()
    till.charge(debtor)
    pay_otherwise(till, debtor, 101)
    restore()
    a_day_passes(till)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_of_two_the_one_that_was_paid_counts(till: Till, back_up: BackUp) -> None:
    debtor = till.debtor()
    restore = back_up()
    till.charge(debtor)
    till.stripe.v1.payment_intents.create(
        {
            "amount": AMOUNT_MINOR,
            "currency": "usd",
            "customer": debtor.card.customer,
            "metadata": {"account": debtor.account_id, "topoff": debtor.topoff_id},
        }
    )
    restore()
    a_day_passes(till)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_an_attempt_declined_since_the_backup_is_not_made_again(
    till: Till, back_up: BackUp
) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "do_not_honor"})
    restore = back_up()
    till.charge(debtor)
    restore()
    a_day_passes(till)
    assert till.charge(debtor) == ChargeResult(ChargeOutcome.DECLINED, "do_not_honor")
    assert till.refused(debtor) == 1


def test_where_none_was_made_the_card_is_charged_once(till: Till) -> None:
    debtor = till.debtor()
    pay_otherwise(till, debtor, 2)
    a_day_passes(till)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    assert intents_of(till, debtor) == 3
    till.assert_credited_once(debtor)


def test_an_intent_that_nobody_confirmed_is_taken_up(till: Till, back_up: BackUp) -> None:
    debtor = till.debtor()
    restore = back_up()
    till.control.add_fault("reset", path=rf"{CREATE}/pi_\w+/confirm")
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    restore()
    a_day_passes(till)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    assert intents_of(till, debtor) == 1
    till.assert_credited_once(debtor)


@pytest.mark.parametrize("fault", ["reset", "error_before", "rate_limit", "bad_json"])
def test_while_stripe_does_not_say_nothing_is_charged(
    till: Till, back_up: BackUp, fault: str
) -> None:
    debtor = till.debtor()
    restore = back_up()
    till.charge(debtor)
    restore()
    a_day_passes(till)
    till.control.add_fault(fault, method="GET", path=CREATE)
    with pytest.raises(OutcomeUnknown) as unknown:
        till.charge(debtor)
    assert unknown.value.__suppress_context__
    assert till.topoff(debtor).state is TopoffState.CHARGING
    assert till.is_owed(debtor)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_look_charges_and_fails_nothing(till: Till, status: int) -> None:
    debtor = till.debtor()
    a_day_passes(till)
    till.control.add_fault("error_before", method="GET", path=CREATE, status=status)
    with pytest.raises(OutcomeUnknown, match="payments cannot be listed"):
        till.charge(debtor)
    till.assert_not_charged(debtor)
    assert till.topoff(debtor).state is TopoffState.CHARGING


def test_a_charge_begun_before_the_backup_is_not_given_up_unseen(
    till: Till, back_up: BackUp
) -> None:
    debtor = till.debtor()
    till.control.add_fault("reset", path=CREATE, method="POST")
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    restore = back_up()
    till.charge(debtor)
    restore()
    till.clock.advance(s=GIVE_UP_AFTER_S + 1)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_a_young_top_off_is_charged_without_looking(till: Till) -> None:
    debtor = till.debtor()
    till.clock.advance(s=LOOK_FIRST_AFTER_S)
    till.charge(debtor)
    assert [r["method"] for r in till.control.requests()] == ["POST", "POST"]
    till.assert_credited_once(debtor)


def test_a_customer_that_is_gone_has_paid_nothing(till: Till) -> None:
    debtor = till.debtor()
    a_day_passes(till)
    till.stripe.v1.customers.delete(debtor.card.customer)
    assert till.charge(debtor).outcome is ChargeOutcome.NO_PAYMENT_METHOD
