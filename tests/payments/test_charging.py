"""A charge whose outcome Stripe tells: paid, declined, refused, or never begun."""

import traceback

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.errors import UnknownTopoff
from gatekeeper.payments.charging import (
    ChargeOutcome,
    ChargeRefused,
    ChargeResult,
    OutcomeUnknown,
    charge_topoff,
)
from tests.payments.till import AMOUNT_MINOR, PRICE_MINOR, Debtor, Till

HOUR_MS = 3_600_000
CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
CREATE = "/v1/payment_intents"


def test_a_card_is_charged_and_its_credits_arrive(till: Till) -> None:
    debtor = till.debtor()
    assert till.charge(debtor) == ChargeResult(ChargeOutcome.SUCCEEDED)
    till.assert_credited_once(debtor)
    topoff = till.topoff(debtor)
    assert (topoff.state, topoff.card_last4) == (TopoffState.SUCCEEDED, "4242")


def test_stripe_is_told_what_the_charge_is_for(till: Till) -> None:
    debtor = till.debtor()
    till.charge(debtor)
    intent = till.intent(debtor)
    assert (intent.amount_received, intent.currency) == (AMOUNT_MINOR, "usd")
    assert intent.customer == debtor.card.customer
    assert intent.payment_method == debtor.card.payment_method
    assert intent.metadata.to_dict() == {
        "account": debtor.account_id,
        "topoff": debtor.topoff_id,
        "credits": "200",
    }
    assert intent.receipt_email is None


def test_the_intent_is_stored_before_it_is_confirmed(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("reset", path=CONFIRM)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    assert till.topoff(debtor).payment_intent == till.intent(debtor).id
    assert till.intent(debtor).status == "requires_payment_method"


def test_every_step_has_a_key_of_its_attempt(till: Till) -> None:
    debtor = till.debtor()
    till.charge(debtor)
    keys = [r["idempotency_key"] for r in till.control.requests() if r["method"] == "POST"]
    assert keys == [f"{debtor.topoff_id}:create:1", f"{debtor.topoff_id}:confirm:1"]


@pytest.mark.parametrize(
    ("code", "shown", "card_refused", "retry_after_ms"),
    [
        ("insufficient_funds", "insufficient_funds", False, None),
        ("do_not_honor", "do_not_honor", False, None),
        ("lost_card", "generic_decline", True, None),
        ("fraudulent", "generic_decline", True, None),
        ("expired_card", "expired_card", True, None),
        ("authentication_required", "authentication_required", True, None),
        ("processing_error", "processing_error", False, 6 * HOUR_MS),
        ("try_again_later", "try_again_later", False, 6 * HOUR_MS),
    ],
)
def test_a_decline_is_a_result(
    till: Till, code: str, shown: str, card_refused: bool, retry_after_ms: int | None
) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": code})
    assert till.charge(debtor) == ChargeResult(ChargeOutcome.DECLINED, code)
    till.assert_not_charged(debtor)
    account, incident = till.account(debtor), till.incident(debtor)
    assert incident is not None
    assert (incident.reason, incident.decline_code) == (FailureReason.DECLINED, shown)
    assert account.card is not None
    assert account.card.refused_code == (shown if card_refused else "")
    retry_at_ms = None if retry_after_ms is None else till.clock() + retry_after_ms
    assert account.retry_at_ms == retry_at_ms
    assert till.emails(debtor) == ["topoff_failed"]
    assert not till.is_owed(debtor)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("4000000000000069", "expired_card"),
        ("4000000000000127", "incorrect_cvc"),
        ("4000000000000119", "processing_error"),
    ],
)
def test_an_error_without_a_decline_code_is_known_by_its_own(
    till: Till, number: str, code: str
) -> None:
    debtor = till.debtor(number)
    assert till.charge(debtor) == ChargeResult(ChargeOutcome.DECLINED, code)


def test_a_card_that_wants_its_owner_is_declined(till: Till) -> None:
    debtor = till.debtor("4000002760003184")
    assert till.charge(debtor) == ChargeResult(ChargeOutcome.DECLINED, "authentication_required")
    till.assert_not_charged(debtor)


def test_advice_never_to_try_again_refuses_the_card(till: Till) -> None:
    decline = {"decline_code": "insufficient_funds", "advice_code": "do_not_try_again"}
    debtor = till.debtor(outcome={"outcome": "decline", **decline})
    till.charge(debtor)
    card = till.account(debtor).card
    assert card is not None
    assert card.refused_code == "insufficient_funds"


def test_a_refused_card_is_not_tried_again_by_hand_either(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "stolen_card"})
    till.charge(debtor)
    requests = len(till.control.requests())
    again = _retry_by_hand(till, debtor)
    assert till.charge(again) == ChargeResult(ChargeOutcome.DECLINED, "generic_decline")
    assert len(till.control.requests()) == requests
    incident = till.incident(debtor)
    assert incident is not None
    assert (incident.id, incident.decline_code) == (again.topoff_id, "generic_decline")


def test_a_retry_by_hand_after_a_soft_decline_charges_once(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "insufficient_funds"})
    till.charge(debtor)
    till.control.set_outcome(debtor.card.payment_method, "succeed")
    assert till.charge(_retry_by_hand(till, debtor)).outcome is ChargeOutcome.SUCCEEDED
    assert (till.charged(debtor), till.account(debtor).balance) == (1, 200)
    assert till.account(debtor).blocked_by is None


def _retry_by_hand(till: Till, debtor: Debtor) -> Debtor:
    till.ledger.topoffs.request_topoff(debtor.account_id, till.account(debtor).incident_id)
    return Debtor(debtor.account_id, till.account(debtor).topoff_id, debtor.card)


def test_without_a_card_stripe_is_not_asked(till: Till) -> None:
    debtor = till.debtor()
    till.ledger.accounts.remove_card(debtor.account_id)
    assert till.charge(debtor).outcome is ChargeOutcome.NO_PAYMENT_METHOD
    assert till.account(debtor).blocked_by is FailureReason.NO_PAYMENT_METHOD
    assert till.control.requests() == []


def test_a_detached_card_is_no_payment_method(till: Till) -> None:
    debtor = till.debtor()
    till.stripe.v1.payment_methods.detach(debtor.card.payment_method)
    assert till.charge(debtor).outcome is ChargeOutcome.NO_PAYMENT_METHOD
    account = till.account(debtor)
    assert account.blocked_by is FailureReason.NO_PAYMENT_METHOD
    assert account.card is not None
    assert account.card.refused_code == ""


def test_a_deleted_customer_is_no_payment_method(till: Till) -> None:
    debtor = till.debtor()
    till.stripe.v1.customers.delete(debtor.card.customer)
    assert till.charge(debtor).outcome is ChargeOutcome.NO_PAYMENT_METHOD
    assert till.account(debtor).blocked_by is FailureReason.NO_PAYMENT_METHOD


def test_switched_off_before_the_charge_cancels_it(till: Till) -> None:
    debtor = till.debtor()
    till.switch(debtor.account_id, on=False)
    assert till.charge(debtor).outcome is ChargeOutcome.CANCELED
    assert till.control.requests() == []


def test_a_finished_charge_is_left_alone(till: Till) -> None:
    debtor = till.debtor()
    till.charge(debtor)
    requests = len(till.control.requests())
    assert till.charge(debtor).outcome is ChargeOutcome.FINISHED
    assert len(till.control.requests()) == requests
    till.assert_credited_once(debtor)


def test_a_top_off_that_never_was_is_a_fault(till: Till) -> None:
    with pytest.raises(UnknownTopoff):
        charge_topoff(
            "acct_00000000000b-0123456789ab",
            topoffs=till.ledger.topoffs,
            stripe=till.stripe,
            price_minor=PRICE_MINOR,
            currency="usd",
            clock=till.clock,
        )


@pytest.mark.parametrize("outcome", ["succeed", "decline"])
def test_a_payment_in_processing_is_looked_up_until_it_ends(till: Till, outcome: str) -> None:
    debtor = till.debtor(outcome={"outcome": "processing"})
    assert till.charge(debtor).outcome is ChargeOutcome.PROCESSING
    assert till.charge(debtor).outcome is ChargeOutcome.PROCESSING
    assert till.topoff(debtor).state is TopoffState.CHARGING
    assert till.is_owed(debtor)
    till.control.settle_payment(till.topoff(debtor).payment_intent, outcome)
    ended = till.charge(debtor).outcome
    assert ended is ChargeOutcome("succeeded" if outcome == "succeed" else "declined")
    assert till.charged(debtor) == (1 if outcome == "succeed" else 0)
    assert not till.is_owed(debtor)


def test_a_payment_that_waits_for_its_owner_is_declined_and_canceled(till: Till) -> None:
    debtor = till.debtor("4000002760003184")
    till.control.add_fault("reset", path=CONFIRM)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    waiting = till.stripe.v1.payment_intents.confirm(
        till.topoff(debtor).payment_intent, {"payment_method": debtor.card.payment_method}
    )
    assert waiting.status == "requires_action"
    assert till.charge(debtor) == ChargeResult(ChargeOutcome.DECLINED, "authentication_required")
    assert till.intent(debtor).status == "canceled"


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("path", [CREATE, CONFIRM], ids=["create", "confirm"])
def test_a_refused_request_fails_the_top_off_and_calls_for_help(
    till: Till, path: str, status: int
) -> None:
    debtor = till.debtor()
    till.control.add_fault("error_before", path=path, method="POST", status=status)
    with pytest.raises(ChargeRefused) as fault:
        till.charge(debtor)
    assert str(status) in str(fault.value)
    till.assert_not_charged(debtor)
    account = till.account(debtor)
    assert account.blocked_by is FailureReason.INTERNAL_ERROR
    assert account.retry_at_ms == till.clock() + HOUR_MS
    assert not till.is_owed(debtor)
    if path == CONFIRM:
        assert till.intent(debtor).status == "canceled"


def test_a_refused_confirmation_stays_open_while_the_intent_cannot_be_canceled(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("error_before", path=CONFIRM, status=401)
    till.control.add_fault("error_before", path=r".*/cancel", status=401)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    assert till.topoff(debtor).state is TopoffState.CHARGING
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_a_key_used_for_something_else_fails_the_top_off(till: Till) -> None:
    debtor = till.debtor()
    key = f"{debtor.topoff_id}:create:1"
    till.stripe.v1.payment_intents.create(
        {"amount": 100, "currency": "usd"}, {"idempotency_key": key}
    )
    with pytest.raises(ChargeRefused, match="IdempotencyError"):
        till.charge(debtor)
    assert till.account(debtor).blocked_by is FailureReason.INTERNAL_ERROR


def test_a_fault_repeats_nothing_that_stripe_or_the_library_said(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("error_before", path=CREATE, method="POST", status=401)
    with pytest.raises(ChargeRefused) as refused:
        till.charge(debtor)
    other = till.debtor()
    till.control.add_fault("reset", path=CREATE, method="POST")
    with pytest.raises(OutcomeUnknown) as unknown:
        till.charge(other)
    for fault in (refused, unknown):
        stored_by_rq = "".join(traceback.format_exception(fault.value))
        assert "sk_test" not in stored_by_rq
        assert "An unknown error occurred" not in stored_by_rq
        assert "ConnectionResetError" not in stored_by_rq
