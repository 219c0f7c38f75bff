"""Stripe's events: first, late, twice, in any order, and not ours at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.payments.charging import ChargeOutcome, OutcomeUnknown
from gatekeeper.payments.events import (
    BadEvent,
    StripeEvent,
    parse_event,
)
from gatekeeper.payments.telling import EventOutcome, apply_event
from tests.payments.till import PRICE_MINOR, Debtor, Till

CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
SUCCEEDED = "payment_intent.succeeded"
PAYMENT_FAILED = "payment_intent.payment_failed"


def event_of(till: Till, event_type: str) -> dict[str, Any]:
    """Fetch the newest event of a type from the sandbox, as Stripe would send it."""
    events = till.stripe.v1.events.list({"limit": 100}).data
    return next(event.to_dict() for event in events if event.type == event_type)


def tell(till: Till, event_type: str) -> EventOutcome:
    return apply_event(
        StripeEvent.read(event_of(till, event_type)), till.ledger, price_minor=PRICE_MINOR
    )


def charge_and_die(till: Till, debtor: Debtor) -> None:
    """Let Stripe execute a charge whose worker never learns of it."""
    till.control.add_fault("reset_after", path=CONFIRM)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)


def test_a_success_that_the_worker_never_saw_is_credited(till: Till) -> None:
    debtor = till.debtor()
    charge_and_die(till, debtor)
    assert tell(till, SUCCEEDED) is EventOutcome.CREDITED
    till.assert_credited_once(debtor)
    assert till.charge(debtor).outcome is ChargeOutcome.FINISHED
    till.assert_credited_once(debtor)


def test_the_saved_cards_last_four_stand_in_where_the_event_has_none(till: Till) -> None:
    debtor = till.debtor("5555555555554444")
    charge_and_die(till, debtor)
    tell(till, SUCCEEDED)
    assert till.topoff(debtor).card_last4 == "4444"


def test_an_event_after_the_worker_or_twice_changes_nothing(till: Till) -> None:
    debtor = till.debtor()
    till.charge(debtor)
    assert tell(till, SUCCEEDED) is EventOutcome.REPEATED
    assert tell(till, SUCCEEDED) is EventOutcome.REPEATED
    till.assert_credited_once(debtor)


@pytest.mark.parametrize(
    ("code", "shown", "refused"),
    [
        ("insufficient_funds", "insufficient_funds", ""),
        ("lost_card", "generic_decline", "generic_decline"),
    ],
)
def test_a_decline_is_classified_as_the_worker_does(
    till: Till, code: str, shown: str, refused: str
) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": code})
    charge_and_die(till, debtor)
    assert tell(till, PAYMENT_FAILED) is EventOutcome.FAILED
    incident, card = till.incident(debtor), till.account(debtor).card
    assert incident is not None
    assert card is not None
    assert (incident.reason, incident.decline_code) == (FailureReason.DECLINED, shown)
    assert card.refused_code == refused
    assert tell(till, PAYMENT_FAILED) is EventOutcome.REPEATED
    assert till.charge(debtor).outcome is ChargeOutcome.FINISHED
    assert till.emails(debtor) == ["topoff_failed"]


def test_a_failure_that_arrives_after_the_success_changes_nothing(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "processing"})
    till.charge(debtor)
    failed_later = _as_event(till, debtor, PAYMENT_FAILED)
    till.control.settle_payment(till.topoff(debtor).payment_intent, "succeed")
    assert tell(till, SUCCEEDED) is EventOutcome.CREDITED
    assert apply_event(failed_later, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.REPEATED
    till.assert_credited_once(debtor)


def test_a_success_that_arrives_after_the_failure_is_credited(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "processing"})
    till.charge(debtor)
    failed_first = _as_event(till, debtor, PAYMENT_FAILED)
    assert apply_event(failed_first, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.FAILED
    till.control.settle_payment(till.topoff(debtor).payment_intent, "succeed")
    assert tell(till, SUCCEEDED) is EventOutcome.CREDITED
    assert till.account(debtor).balance == 200
    assert till.account(debtor).blocked_by is None


def _as_event(till: Till, debtor: Debtor, event_type: str) -> StripeEvent:
    """Write an event about a top-off's PaymentIntent that failed."""
    intent = till.intent(debtor).to_dict()
    error = {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"}
    failed = {**intent, "status": "requires_payment_method", "last_payment_error": error}
    return StripeEvent.read(_envelope(event_type, failed))


def _envelope(event_type: str, data: object) -> dict[str, Any]:
    return {"object": "event", "id": "evt_1", "type": event_type, "data": {"object": data}}


def test_a_payment_in_processing_stays_in_flight(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "processing"})
    charge_and_die(till, debtor)
    assert tell(till, "payment_intent.processing") is EventOutcome.PENDING
    assert till.topoff(debtor).state is TopoffState.CHARGING
    assert till.is_owed(debtor)


def test_an_intent_canceled_at_stripe_ends_in_an_internal_error(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("reset", path=CONFIRM)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    till.stripe.v1.payment_intents.cancel(till.topoff(debtor).payment_intent)
    assert tell(till, "payment_intent.canceled") is EventOutcome.FAILED
    assert till.account(debtor).blocked_by is FailureReason.INTERNAL_ERROR
    assert till.account(debtor).retry_at_ms == till.clock() + 3_600_000


def test_an_orphan_that_is_canceled_fails_nothing(till: Till) -> None:
    debtor = till.debtor()
    charge_and_die(till, debtor)
    orphan = till.stripe.v1.payment_intents.create(
        {
            "amount": 5000,
            "currency": "usd",
            "metadata": {"account": debtor.account_id, "topoff": debtor.topoff_id},
        }
    )
    till.stripe.v1.payment_intents.cancel(orphan.id)
    assert tell(till, "payment_intent.canceled") is EventOutcome.STRAY
    assert till.topoff(debtor).state is TopoffState.CHARGING


@pytest.mark.parametrize(
    "change",
    [
        {"amount_received": 1},
        {"currency": "jpy"},
        {"customer": "cus_other"},
        {"id": "pi_other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_money_that_does_not_fit_is_credited_to_nobody(
    till: Till, change: dict[str, object]
) -> None:
    debtor = till.debtor()
    charge_and_die(till, debtor)
    event = event_of(till, SUCCEEDED)
    event["data"]["object"].update(change)
    outcome = apply_event(StripeEvent.read(event), till.ledger, price_minor=PRICE_MINOR)
    assert outcome is EventOutcome.MISMATCH
    assert till.account(debtor).balance == 0


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"topoff": "order-17", "account": "acct_00000000000b"},
        {"topoff": "acct_00000000000b-0123456789ab", "account": "acct_00000000000c"},
        {"topoff": "acct_00000000000b-0123456789ab"},
    ],
)
def test_other_peoples_payments_are_ignored(till: Till, metadata: dict[str, str]) -> None:
    debtor = till.debtor()
    charge_and_die(till, debtor)
    event = event_of(till, SUCCEEDED)
    event["data"]["object"]["metadata"] = metadata
    read = StripeEvent.read(event)
    assert apply_event(read, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.IGNORED
    assert read.facts["account"] == ""


def test_a_top_off_of_another_deployment_is_told_apart(till: Till) -> None:
    debtor = till.debtor()
    charge_and_die(till, debtor)
    event = event_of(till, SUCCEEDED)
    event["data"]["object"]["metadata"] = {
        "topoff": "acct_00000000000b-0123456789ab",
        "account": "acct_00000000000b",
    }
    outcome = apply_event(StripeEvent.read(event), till.ledger, price_minor=PRICE_MINOR)
    assert outcome is EventOutcome.UNKNOWN_TOPOFF


def test_other_types_are_ignored_whatever_they_are_about(till: Till) -> None:
    for event_type in ("customer.updated", "invoice.paid", "something.of.tomorrow"):
        event = StripeEvent.read(_envelope(event_type, {"anything": 1}))
        assert apply_event(event, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.IGNORED


@pytest.mark.parametrize(
    ("event_type", "about"),
    [
        ("charge.refunded", {"payment_intent": "pi_1"}),
        ("charge.refund.updated", {"payment_intent": {"id": "pi_1"}}),
        ("refund.failed", {"payment_intent": "pi_1"}),
        ("charge.dispute.funds_withdrawn", {"payment_intent": "pi_1"}),
    ],
)
def test_news_of_refunds_and_disputes_are_owed(
    till: Till, event_type: str, about: dict[str, Any]
) -> None:
    event = StripeEvent.read(_envelope(event_type, about))
    for _ in range(2):
        assert apply_event(event, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.OWED
    assert till.ledger.owed.is_owed("pi_1", "correction:pi_1")


@pytest.mark.parametrize("payment_intent", [None, "", "ch_1", "pi_1\n", "pi_" + 200 * "1"])
def test_money_that_no_payment_intent_moved_is_nothing_to_us(
    till: Till, payment_intent: str | None
) -> None:
    event = StripeEvent.read(_envelope("charge.refunded", {"payment_intent": payment_intent}))
    assert apply_event(event, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.IGNORED


@pytest.mark.parametrize(
    ("event_type", "about"),
    [
        ("customer.subscription.updated", {"id": "sub_1"}),
        ("invoice.paid", {"parent": {"subscription_details": {"subscription": "sub_1"}}}),
    ],
)
def test_news_of_subscriptions_that_drive_no_account_are_nothing_to_us(
    till: Till, event_type: str, about: dict[str, Any]
) -> None:
    event = StripeEvent.read(_envelope(event_type, about))
    assert apply_event(event, till.ledger, price_minor=PRICE_MINOR) is EventOutcome.IGNORED


@pytest.mark.parametrize(
    "fields",
    [
        [],
        "event",
        None,
        {},
        {"object": "event"},
        {**_envelope(SUCCEEDED, {}), "object": "v2.core.event"},
        {**_envelope(SUCCEEDED, {}), "id": 1},
        {**_envelope(SUCCEEDED, {}), "type": None},
        {**_envelope(SUCCEEDED, {}), "data": []},
        _envelope("refund.failed", {"payment_intent": 1}),
        _envelope("refund.failed", {"payment_intent": "pi_\u00e9"}),
        _envelope("customer.subscription.updated", {"id": 1}),
        _envelope("invoice.paid", {"parent": {"subscription_details": {"subscription": 1}}}),
        _envelope(SUCCEEDED, "pi_1"),
        _envelope(SUCCEEDED, {}),
        _envelope(SUCCEEDED, {"id": "pi_1", "status": 1, "amount_received": 1, "currency": "usd"}),
        _envelope(
            SUCCEEDED, {"id": "pi_1", "status": "x", "amount_received": 1e9, "currency": "x"}
        ),
    ],
)
def test_what_is_not_an_event_is_refused(fields: Any) -> None:
    with pytest.raises(BadEvent):
        StripeEvent.read(fields)


def test_what_is_refused_is_not_repeated() -> None:
    with pytest.raises(BadEvent) as refusal:
        parse_event(json.dumps({"secret": "4242"}).encode(), "t=1,v1=4242", ["whsec_1"])
    assert "4242" not in str(refusal.value)
