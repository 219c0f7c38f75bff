"""A charge whose outcome Stripe does not tell: it stays in flight until it is known (R10)."""

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.payments.charging import (
    GIVE_UP_AFTER_S,
    ChargeOutcome,
    ChargeResult,
    OutcomeUnknown,
)
from tests.payments.till import Debtor, Till, connect

CREATE = "/v1/payment_intents"
CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
CANCEL = r"/v1/payment_intents/pi_\w+/cancel"
LOOK_UP = r"/v1/payment_intents/pi_\w+"
STEPS = {"create": ("POST", CREATE), "confirm": ("POST", CONFIRM)}

LOST_BEFORE = ("hang", "reset", "error_before", "rate_limit", "error_502_html")
LOST_AFTER = ("hang_after", "reset_after", "error_after", "bad_json", "error_502_html_after")


def run_into(till: Till, debtor: Debtor, fault: str, method: str, path: str) -> None:
    """Let one run meet a fault."""
    till.control.add_fault(fault, method=method, path=path)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor, with_client=connect(till.base_url, timeout_s=0.25))
    assert till.topoff(debtor).state is TopoffState.CHARGING
    assert till.account(debtor).blocked_by is None
    assert till.is_owed(debtor)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", LOST_BEFORE + LOST_AFTER)
def test_a_lost_answer_is_looked_up_and_paid_once(till: Till, fault: str, step: str) -> None:
    debtor = till.debtor()
    run_into(till, debtor, fault, *STEPS[step])
    assert till.charge_until_known(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


@pytest.mark.parametrize("fault", LOST_BEFORE + LOST_AFTER)
def test_a_lost_decline_is_looked_up_and_failed(till: Till, fault: str) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "do_not_honor"})
    run_into(till, debtor, fault, *STEPS["confirm"])
    assert till.charge_until_known(debtor) == ChargeResult(ChargeOutcome.DECLINED, "do_not_honor")
    till.assert_not_charged(debtor)
    assert till.refused(debtor) == 1


@pytest.mark.parametrize("fault", ["reset", "error_before", "rate_limit", "bad_json"])
def test_a_failed_look_up_changes_nothing(till: Till, fault: str) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset_after", "POST", CONFIRM)
    run_into(till, debtor, fault, "GET", LOOK_UP)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_look_up_fails_nothing(till: Till, status: int) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset_after", "POST", CONFIRM)
    till.control.add_fault("error_before", method="GET", path=LOOK_UP, status=status)
    with pytest.raises(OutcomeUnknown, match="cannot be looked up"):
        till.charge(debtor)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_the_library_itself_repeats_a_request_under_its_key(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("reset_after", path=CONFIRM)
    charged = till.charge(debtor, with_client=till.patient_client())
    assert charged.outcome is ChargeOutcome.SUCCEEDED
    confirmed = [r for r in till.control.requests() if r["path"].endswith("/confirm")]
    assert [r["idempotency_key"] for r in confirmed] == [f"{debtor.topoff_id}:confirm:1"] * 2
    till.assert_credited_once(debtor)


def test_a_kept_500_of_a_creation_ends_its_key(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "error_after", "POST", CREATE)
    assert till.topoff(debtor).attempt == 1
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)  # Stripe says that it repeats itself
    assert till.topoff(debtor).attempt == 2
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_a_kept_500_of_a_confirmation_ends_its_key(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CONFIRM)
    till.stripe.v1.payment_methods.detach(debtor.card.payment_method)
    # The confirmation is refused for the card, and answered with a 500 all the same.
    run_into(till, debtor, "error_after", "POST", CONFIRM)
    with pytest.raises(OutcomeUnknown):
        till.charge(debtor)
    assert till.topoff(debtor).attempt == 2
    assert till.charge(debtor).outcome is ChargeOutcome.NO_PAYMENT_METHOD
    keys = [r["idempotency_key"] for r in till.control.requests() if "confirm" in r["path"]]
    assert keys[-1] == f"{debtor.topoff_id}:confirm:2"


def test_an_attempt_that_may_be_under_way_keeps_its_key(till: Till) -> None:
    debtor = till.debtor()
    for _ in range(3):
        run_into(till, debtor, "error_before", "POST", CONFIRM)
    assert till.topoff(debtor).attempt == 1


def test_stripe_down_for_days_fails_nothing(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset_after", "POST", CONFIRM)
    till.clock.advance(s=3 * 24 * 3600)
    run_into(till, debtor, "reset", "GET", LOOK_UP)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_a_charge_that_never_began_is_given_up(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CREATE)
    till.clock.advance(s=GIVE_UP_AFTER_S + 1)
    assert till.charge(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
    assert [r["method"] for r in till.control.requests()] == ["POST", "GET"]  # looked, no more
    assert_given_up(till, debtor)


def test_an_intent_that_nobody_touched_is_canceled_and_given_up(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CONFIRM)
    till.clock.advance(s=GIVE_UP_AFTER_S + 1)
    assert till.charge(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
    assert till.intent(debtor).status == "canceled"
    assert_given_up(till, debtor)


def assert_given_up(till: Till, debtor: Debtor) -> None:
    till.assert_not_charged(debtor)
    account = till.account(debtor)
    assert account.blocked_by is FailureReason.INTERNAL_ERROR
    assert account.retry_at_ms == till.clock() + 3_600_000
    assert till.emails(debtor) == ["topoff_failed"]


def test_until_the_last_moment_it_is_tried_again(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CONFIRM)
    till.clock.advance(s=GIVE_UP_AFTER_S)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED


@pytest.mark.parametrize("fault", ["reset", "reset_after", "error_before"])
def test_it_is_not_given_up_before_its_intent_is_surely_canceled(till: Till, fault: str) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CONFIRM)
    till.clock.advance(s=GIVE_UP_AFTER_S + 1)
    run_into(till, debtor, fault, "POST", CANCEL)
    assert till.charge(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
    assert till.intent(debtor).status == "canceled"


def test_a_payment_found_when_it_is_to_be_given_up_is_credited(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset_after", "POST", CONFIRM)
    till.clock.advance(s=GIVE_UP_AFTER_S + 1)
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_an_intent_canceled_at_stripe_by_hand_is_an_internal_error(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CONFIRM)
    till.stripe.v1.payment_intents.cancel(till.topoff(debtor).payment_intent)
    assert till.charge(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
    till.assert_not_charged(debtor)


def test_after_the_cool_down_a_new_charge_resolves_the_incident(till: Till) -> None:
    debtor = till.debtor()
    run_into(till, debtor, "reset", "POST", CREATE)
    till.clock.advance(s=GIVE_UP_AFTER_S + 1)
    till.charge(debtor)
    till.clock.advance(s=3600)
    till.ledger.topoffs.look_at_threshold(debtor.account_id)
    again = Debtor(debtor.account_id, till.account(debtor).topoff_id, debtor.card)
    assert again.topoff_id != debtor.topoff_id
    assert till.charge(again).outcome is ChargeOutcome.SUCCEEDED
    assert (till.charged(debtor), till.account(debtor).balance) == (1, 200)
    assert till.account(debtor).blocked_by is None
