"""Several runs of one charge: at once, frozen, late. Never a second charge (R7)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from gatekeeper.domain.topoff import TopoffState
from gatekeeper.payments.charging import (
    GIVE_UP_AFTER_S,
    ChargeOutcome,
    ChargeResult,
    OutcomeUnknown,
)
from tests.payments.till import Debtor, Till

CREATE = "/v1/payment_intents"
CONFIRM = r"/v1/payment_intents/pi_\w+/confirm"
CANCEL = r"/v1/payment_intents/pi_\w+/cancel"


def outcome_of(run: Callable[[], ChargeResult]) -> ChargeOutcome | None:
    """Run, and say None when the outcome is unknown."""
    try:
        return run().outcome
    except OutcomeUnknown:
        return None


def test_eight_runs_at_once_charge_once(till: Till) -> None:
    debtor = till.debtor()
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(outcome_of, lambda: till.charge(debtor)) for _ in range(8)]
        outcomes = {run.result() for run in runs}
    assert outcomes <= {ChargeOutcome.SUCCEEDED, ChargeOutcome.FINISHED, None}
    assert till.charge_until_known(debtor).outcome in outcomes | {ChargeOutcome.FINISHED}
    till.assert_credited_once(debtor)


def test_eight_runs_at_once_are_declined_once(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "insufficient_funds"})
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(outcome_of, lambda: till.charge(debtor)) for _ in range(8)]
        outcomes = {run.result() for run in runs}
    assert outcomes <= {ChargeOutcome.DECLINED, ChargeOutcome.FINISHED, None}
    assert till.charge_until_known(debtor).outcome in outcomes | {ChargeOutcome.FINISHED}
    assert till.refused(debtor) == 1
    assert till.emails(debtor) == ["topoff_failed"]


def test_two_creations_leave_one_intent_that_counts(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("hang_before", path=CREATE, method="POST")
    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(outcome_of, lambda: till.charge(debtor))
        assert till.control.held(count=1, wait_s=10)
        assert outcome_of(lambda: till.charge(debtor)) is None  # the key is in use
        till.control.release()
        assert frozen.result() is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_the_intent_that_was_stored_first_is_the_only_one_confirmed(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("hang_after", path=CREATE, method="POST")
    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(outcome_of, lambda: till.charge(debtor))
        assert till.control.held(count=1, wait_s=10)
        till.control.prune_idempotency_keys()  # as after a day
        till.control.add_fault("reset", path=CONFIRM)
        assert outcome_of(lambda: till.charge(debtor)) is None
        till.control.release()
        assert frozen.result() is ChargeOutcome.SUCCEEDED
    stored = till.topoff(debtor).payment_intent
    confirmed = {r["path"] for r in till.control.requests() if r["path"].endswith("/confirm")}
    assert confirmed == {f"/v1/payment_intents/{stored}/confirm"}
    assert len(till.stripe.v1.payment_intents.list({"customer": debtor.card.customer}).data) == 2
    till.assert_credited_once(debtor)


def test_an_intent_created_by_a_run_that_was_given_up_is_never_confirmed(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("hang_before", path=CREATE, method="POST")
    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(outcome_of, lambda: till.charge(debtor))
        assert till.control.held(count=1, wait_s=10)
        till.clock.advance(s=GIVE_UP_AFTER_S + 1)
        assert till.charge(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
        till.control.release()
        assert frozen.result() is ChargeOutcome.FINISHED
    till.assert_not_charged(debtor)
    assert not [r for r in till.control.requests() if r["path"].endswith("/confirm")]


def test_a_confirmation_that_comes_after_giving_up_charges_nothing(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("hang_before", path=CONFIRM)
    with ThreadPoolExecutor(1) as pool:
        frozen = pool.submit(outcome_of, lambda: till.charge(debtor))
        assert till.control.held(count=1, wait_s=10)
        till.clock.advance(s=GIVE_UP_AFTER_S + 1)
        assert till.charge(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
        till.control.release()
        assert frozen.result() is ChargeOutcome.INTERNAL_ERROR
    till.assert_not_charged(debtor)
    assert till.emails(debtor) == ["topoff_failed"]


def test_giving_up_while_the_payment_goes_through_credits_it(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("hang_before", path=CONFIRM)
    till.control.add_fault("hang_before", path=CANCEL)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(outcome_of, lambda: till.charge(debtor))
        confirming = till.control.held(count=1, wait_s=10)[0]["request_id"]
        till.clock.advance(s=GIVE_UP_AFTER_S + 1)
        giving_up = pool.submit(outcome_of, lambda: till.charge(debtor))
        assert len(till.control.held(count=2, wait_s=10)) == 2
        till.control.release(confirming)
        assert slow.result() is ChargeOutcome.SUCCEEDED
        till.control.release()
        assert giving_up.result() is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(debtor)


def test_a_run_frozen_before_it_confirmed_gets_the_outcome_of_its_successor(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "do_not_honor"})
    assert till.charge(debtor).outcome is ChargeOutcome.DECLINED
    till.control.set_outcome(debtor.card.payment_method, "succeed")
    with pytest.raises(stripe.CardError):
        confirm_as_a_frozen_run(till, debtor)
    till.assert_not_charged(debtor)


def confirm_as_a_frozen_run(till: Till, debtor: Debtor) -> None:
    """Send what a run of the first attempt sends that is woken up now."""
    till.stripe.v1.payment_intents.confirm(
        till.topoff(debtor).payment_intent,
        {
            "payment_method": debtor.card.payment_method,
            "off_session": True,
            "expand": ["latest_charge"],
        },
        {"idempotency_key": f"{debtor.topoff_id}:confirm:1"},
    )


def test_a_run_of_a_spent_attempt_charges_nothing(till: Till) -> None:
    debtor = till.debtor()
    till.control.add_fault("error_after", path=CONFIRM)
    assert outcome_of(lambda: till.charge(debtor)) is None
    assert till.charge(debtor).outcome is ChargeOutcome.SUCCEEDED
    with pytest.raises(stripe.APIError):
        confirm_as_a_frozen_run(till, debtor)
    till.assert_credited_once(debtor)


def test_a_card_attached_between_two_runs_is_the_one_charged(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "do_not_honor"})
    till.control.add_fault("reset", path=CONFIRM)
    assert outcome_of(lambda: till.charge(debtor)) is None
    card = till.new_card("5555555555554444")
    till.ledger.accounts.set_card(debtor.account_id, card)
    # The charge under way is the old card's to the end; its failure opens no incident.
    assert till.charge(debtor).outcome is ChargeOutcome.DECLINED
    account = till.account(debtor)
    assert (account.blocked_by, account.topoff_state) == (None, TopoffState.REQUESTED)
    renewed = Debtor(debtor.account_id, account.topoff_id, card)
    assert till.charge(renewed).outcome is ChargeOutcome.SUCCEEDED
    till.assert_credited_once(renewed)
