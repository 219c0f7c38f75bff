"""R6, R7, R8 and R10 on the real scripts: when a card is charged. See docs/correctness.md."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.call import Reason, decide
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.explanation import explain_decision
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason, Resolution
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.errors import PaymentMismatch, SettingsChanged, UnknownTopoff
from gatekeeper.ledger.topoffs import (
    AgreedCharge,
    Charge,
    Failed,
    Look,
    Payment,
    RetryAnswer,
    Settled,
)
from tests.conftest import MovableClock
from tests.ledger.desk import PRICE_MINOR, Desk

# R6: threshold


def test_r6_at_the_threshold_nothing_below_it_one_topoff(desk: Desk) -> None:
    desk.open(allotment=7).card().topoff(threshold=5)
    for balance in (6, 5):
        desk.call()
        assert (desk.account.balance, desk.account.topoff_id) == (balance, "")
    desk.call()
    topoff_id = desk.account.topoff_id
    assert topoff_id
    for _ in range(3):
        desk.call()
    assert desk.account.topoff_id == topoff_id


def test_r6_switching_on_or_attaching_a_card_below_the_threshold_counts(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff(threshold=5)
    assert desk.account.topoff_state is TopoffState.REQUESTED


def test_r6_after_a_topoff_only_the_next_debit_looks_again(desk: Desk) -> None:
    desk.open().card().topoff(threshold=5, amount=6)
    for _ in range(4):
        desk.call()
    first = desk.account.topoff_id
    desk.begin(first)
    desk.succeed(first)
    assert (desk.account.balance, desk.account.topoff_id) == (2, "")
    desk.call()
    assert desk.account.topoff_id not in ("", first)


def test_r6_deeper_than_the_overdraft_each_drop_asks_while_none_is_in_flight(desk: Desk) -> None:
    """A dispute took more than a top-off brings: no call is answered, so no debit looks."""
    desk.open(purchased=1).card().topoff(threshold=5, amount=20)
    first = desk.paid_topoff()
    while desk.account.balance > 5:
        desk.call()
    disputed = Reversal("du_1", CorrectionCause.DISPUTE, 1, 20 * PRICE_MINOR, True)
    paid = CreditedPayment(first, f"pi_{first}", 20, 20 * PRICE_MINOR, "usd")
    assert desk.ledger.corrections.correct_payment(desk.id, paid, [disputed]).balance == -15
    desk.topoff(threshold=5, amount=6)
    desk.paid_topoff()
    assert (desk.account.balance, desk.account.topoff_id) == (-9, "")
    assert desk.call().verdict.reason is Reason.EMPTY_OVERDRAFT_USED
    third = desk.account.topoff_id
    assert third
    assert desk.call().verdict.reason is Reason.EMPTY_OVERDRAFT_USED
    assert desk.account.topoff_id == third
    calls = [e.ref for e in desk.ledger.log.entries(desk.id) if e.type is EntryType.CALL_DROPPED]
    records = [desk.ledger.calls.find(call_sid)[0].record for call_sid in calls]
    assert [record.topoff_requested for record in records] == [True, False]
    assert all(decide(record.standing) == record.verdict for record in records)
    said = "the balance was below the threshold of 5, so a top-off of 6 credits was requested"
    assert [said in explain_decision(record) for record in records] == [True, False]
    desk.paid_topoff()
    assert desk.call().verdict.reason is Reason.OVERDRAFT
    assert audit_ledger(desk.ledger) == []


# R7: never two


def test_r7_credits_once_whoever_reports_first(desk: Desk) -> None:
    desk.open().card().topoff(amount=20)
    topoff_id = desk.account.topoff_id
    desk.begin(topoff_id)
    assert [desk.succeed(topoff_id) for _ in range(3)] == [
        Settled.SETTLED,
        Settled.REPEATED,
        Settled.REPEATED,
    ]
    assert desk.decline(topoff_id) is Failed.REPEATED
    assert desk.account.balance == 20
    assert desk.mail == ["topoff_succeeded"]


@pytest.mark.parametrize(
    "wrong",
    [
        Payment("pi_other", 500, "usd", "cus_1", ""),
        Payment("", 499, "usd", "cus_1", ""),
        Payment("", 500, "eur", "cus_1", ""),
        Payment("", 500, "usd", "cus_2", ""),
    ],
)
def test_r7_a_payment_that_does_not_fit_is_not_credited(desk: Desk, wrong: Payment) -> None:
    desk.open().card().topoff(amount=20)
    topoff_id = desk.account.topoff_id
    desk.begin(topoff_id)
    intent = wrong.payment_intent or f"pi_{topoff_id}"
    payment = Payment(intent, wrong.amount_minor, wrong.currency, wrong.customer, "")
    with pytest.raises(PaymentMismatch):
        desk.ledger.topoffs.settle_topoff(topoff_id, payment, price_minor=PRICE_MINOR)
    assert desk.account.balance == 0


def test_r7_the_price_and_the_card_are_fixed_when_the_charge_begins(desk: Desk) -> None:
    desk.open().card("pm_1").topoff(amount=20)
    topoff_id = desk.account.topoff_id
    desk.begin(topoff_id)
    desk.card("pm_2")
    again, topoff = desk.ledger.topoffs.begin_charge(topoff_id, price_minor=99, currency="eur")
    assert (again, topoff.payment_method) == (Charge.CHARGE, "pm_1")
    assert (topoff.amount_minor, topoff.currency) == (20 * PRICE_MINOR, "usd")


def test_r7_the_accounts_own_price_is_charged(desk: Desk) -> None:
    desk.open().card().topoff(amount=20)
    desk.ledger.accounts.update_account(desk.id, price_minor="31")
    topoff_id = desk.account.topoff_id
    assert desk.begin(topoff_id) is Charge.CHARGE
    assert desk.ledger.topoffs.topoff(topoff_id).amount_minor == 20 * 31
    with pytest.raises(PaymentMismatch):
        desk.succeed(topoff_id)  # with the default price


# R8: failure


def test_r8_a_failed_charge_opens_an_incident_and_blocks(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff()
    topoff_id = desk.failed_topoff(desk.decline)
    desk.call()
    account, incident = desk.account, desk.ledger.accounts.incident(desk.id)
    assert (account.topoff_id, account.blocked_by) == ("", FailureReason.DECLINED)
    assert incident is not None
    assert (incident.id, incident.reason, incident.resolved_at_ms) == (
        topoff_id,
        FailureReason.DECLINED,
        None,
    )
    assert incident.amount_minor == 20 * PRICE_MINOR


def test_r8_a_card_attached_resolves_and_looks_again(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff()
    first = desk.failed_topoff(desk.decline)
    desk.card("pm_2")
    incident = desk.ledger.accounts.incident(desk.id)
    assert incident is not None
    assert incident.resolution is Resolution.CARD_ATTACHED
    assert desk.account.topoff_id not in ("", first)


def test_r8_a_retry_by_hand_unblocks_once_it_succeeds(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff()
    incident_id = desk.failed_topoff(desk.decline)
    retry = desk.ledger.topoffs.request_topoff
    assert retry(desk.id, "acct_none-1") is RetryAnswer.NO_SUCH_INCIDENT
    assert retry(desk.id, incident_id) is RetryAnswer.REQUESTED
    assert retry(desk.id, incident_id) is RetryAnswer.IN_FLIGHT
    blocked = desk.account
    assert blocked.blocked_by is FailureReason.DECLINED
    second = blocked.topoff_id
    desk.begin(second)
    desk.succeed(second)
    unblocked = desk.account
    assert (unblocked.blocked_by, unblocked.incident_id) == (None, "")
    assert retry(desk.id, incident_id) is RetryAnswer.NO_SUCH_INCIDENT


@pytest.mark.parametrize(
    ("own_price", "agreed", "answer"),
    [
        ("", AgreedCharge(20, 25, 25), RetryAnswer.REQUESTED),
        ("", AgreedCharge(21, 25, 25), RetryAnswer.CHANGED),
        ("", AgreedCharge(20, 20, 25), RetryAnswer.CHANGED),
        ("", AgreedCharge(-1, -1, 25), RetryAnswer.CHANGED),
        ("35", AgreedCharge(20, 35, 25), RetryAnswer.REQUESTED),
        ("35", AgreedCharge(20, 25, 25), RetryAnswer.CHANGED),
        ("35", None, RetryAnswer.REQUESTED),
    ],
)
def test_r8_a_retry_charges_what_was_agreed_to_or_nothing(
    desk: Desk, own_price: str, agreed: AgreedCharge | None, answer: RetryAnswer
) -> None:
    desk.open(allotment=4).card().topoff(amount=20)
    incident_id = desk.failed_topoff(desk.decline)
    if own_price:
        desk.ledger.accounts.update_account(desk.id, price_minor=own_price)
    entries = len(list(desk.ledger.log.entries(desk.id)))
    topoffs = desk.ledger.topoffs
    assert topoffs.request_topoff(desk.id, incident_id, agreed=agreed) is answer
    is_requested = answer is RetryAnswer.REQUESTED
    assert bool(desk.account.topoff_id) == is_requested
    assert len(list(desk.ledger.log.entries(desk.id))) == entries + is_requested


def test_r8_switching_off_resolves(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff()
    desk.failed_topoff(desk.decline)
    desk.topoff(on=False)
    incident = desk.ledger.accounts.incident(desk.id)
    assert incident is not None
    assert incident.resolution is Resolution.SWITCHED_OFF
    assert (desk.account.blocked_by, desk.account.incident_id) == (None, "")


def test_r8_switching_off_cancels_what_was_only_requested(desk: Desk) -> None:
    desk.open().card().topoff()
    topoff_id = desk.account.topoff_id
    desk.topoff(on=False)
    assert desk.begin(topoff_id) is Charge.CANCELED
    assert desk.ledger.topoffs.topoff(topoff_id).state is TopoffState.CANCELED
    assert desk.account.topoff_id == ""
    assert desk.begin(topoff_id) is Charge.FINISHED


@pytest.mark.parametrize(
    "changed",
    [
        TopoffSettings(False, 5, 20),
        TopoffSettings(True, 6, 20),
        TopoffSettings(True, 5, 21),
        TopoffSettings(True, 5, 20, 20),
    ],
)
def test_r8_settings_that_changed_since_they_were_read_are_not_written_over(
    desk: Desk, changed: TopoffSettings
) -> None:
    desk.open(purchased=9).topoff()
    accounts, read = desk.ledger.accounts, desk.account.topoff
    accounts.set_topoff(desk.id, changed)
    with pytest.raises(SettingsChanged, match="run it again"):
        accounts.set_topoff(desk.id, replace(read, threshold=15), instead_of=read)
    assert (desk.account.topoff, desk.account.topoff_id) == (changed, "")
    topoff_id = accounts.set_topoff(desk.id, replace(changed, threshold=15), instead_of=changed)
    assert desk.account.topoff == replace(changed, threshold=15)
    assert bool(topoff_id) == changed.enabled


def begun(desk: Desk, payment_intent: str = "") -> str:
    """Begin a charge, and get as far as a PaymentIntent, or not even there; returns the top-off."""
    desk.open().card().topoff()
    topoff_id, topoffs = desk.account.topoff_id, desk.ledger.topoffs
    assert topoffs.begin_charge(topoff_id, price_minor=PRICE_MINOR, currency="usd")[0] == "charge"
    if payment_intent:
        topoffs.record_intent(topoff_id, payment_intent)
    return topoff_id


@pytest.mark.parametrize("how", ["off", "suspended"])
def test_r8_switching_off_cancels_a_charge_that_has_no_payment_intent(desk: Desk, how: str) -> None:
    topoff_id = begun(desk)
    if how == "off":
        desk.topoff(on=False)
    else:
        desk.ledger.accounts.update_account(desk.id, suspended="1")
    assert desk.begin(topoff_id) is Charge.CANCELED
    assert desk.ledger.topoffs.topoff(topoff_id).state is TopoffState.CANCELED
    assert (desk.account.topoff_id, desk.account.topoff_state) == ("", None)
    assert not desk.ledger.owed.is_owed(desk.id, f"charge:{topoff_id}")
    assert audit_ledger(desk.ledger) == []
    with pytest.raises(UnknownTopoff):  # a run that is just asking Stripe for one
        desk.ledger.topoffs.record_intent(topoff_id, "pi_late")


def test_r8_a_charge_that_has_a_payment_intent_goes_on_though_switched_off(desk: Desk) -> None:
    topoff_id = begun(desk, f"pi_{desk.id}")
    desk.topoff(on=False)
    assert desk.begin(topoff_id) is Charge.CHARGE
    assert desk.ledger.topoffs.topoff(topoff_id).state is TopoffState.CHARGING


def test_r8_a_failure_of_what_was_canceled_meanwhile_changes_nothing(desk: Desk) -> None:
    topoff_id = begun(desk)
    desk.topoff(on=False)
    assert desk.begin(topoff_id) is Charge.CANCELED
    assert desk.break_down(topoff_id) is Failed.REPEATED
    assert desk.ledger.topoffs.topoff(topoff_id).state is TopoffState.CANCELED


def test_r8_after_internal_errors_three_automatic_attempts_then_no_more(
    desk: Desk, clock: MovableClock
) -> None:
    desk.open(allotment=4).card().topoff(threshold=5)
    look = desk.ledger.topoffs.look_at_threshold
    for cool_down_s in INTERNAL_ERROR_COOL_DOWNS_S:
        desk.failed_topoff(desk.break_down)
        clock.advance(s=cool_down_s - 1)
        assert look(desk.id) is Look.EARLY
        assert desk.account.topoff_id == ""
        clock.advance(s=1)
        assert look(desk.id) is Look.REQUESTED
    desk.failed_topoff(desk.break_down)
    clock.advance(s=365 * 24 * 3600)
    assert look(desk.id) is Look.NOT_DUE
    desk.call()
    assert desk.account.topoff_id == ""


def test_r8_a_cooled_down_attempt_that_succeeds_unblocks(desk: Desk, clock: MovableClock) -> None:
    desk.open(allotment=4).card().topoff(threshold=5)
    desk.failed_topoff(desk.break_down)
    clock.advance(s=INTERNAL_ERROR_COOL_DOWNS_S[0])
    desk.call()
    topoff_id = desk.account.topoff_id
    desk.begin(topoff_id)
    desk.succeed(topoff_id)
    assert (desk.account.blocked_by, desk.account.incident_id) == (None, "")


def test_r8_a_card_that_must_never_be_tried_again_is_not(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff()
    desk.failed_topoff(lambda topoff_id: desk.decline(topoff_id, never_again=True))
    desk.topoff(on=False).topoff(on=True)
    assert desk.begin(desk.account.topoff_id) is Charge.CARD_REFUSED
    desk.card()
    assert desk.begin(desk.account.topoff_id) is Charge.CHARGE


def test_r8_a_card_replaced_during_the_charge_is_tried_instead_of_blocking(desk: Desk) -> None:
    desk.open(allotment=4).card("pm_old").topoff()
    first = desk.account.topoff_id
    desk.begin(first)
    desk.card("pm_new")
    assert desk.decline(first) is Failed.FAILED_QUIETLY
    account = desk.account
    assert (account.blocked_by, account.incident_id) == (None, "")
    assert account.topoff_id not in ("", first)


def test_r8_no_card(desk: Desk) -> None:
    desk.open().topoff()
    topoff_id = desk.account.topoff_id
    assert desk.begin(topoff_id) is Charge.NO_PAYMENT_METHOD
    failed = desk.ledger.topoffs.fail_topoff(
        topoff_id, payment_intent="", reason=FailureReason.NO_PAYMENT_METHOD
    )
    assert failed is Failed.FAILED
    assert desk.account.blocked_by is FailureReason.NO_PAYMENT_METHOD


# R10: unknown is not failed


def test_r10_a_late_success_credits_and_resolves(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff(amount=20)
    topoff_id = desk.failed_topoff(desk.break_down)
    assert desk.succeed(topoff_id) is Settled.SETTLED
    account = desk.account
    assert (account.balance, account.blocked_by, account.incident_id) == (24, None, "")
    assert desk.ledger.topoffs.topoff(topoff_id).state is TopoffState.SUCCEEDED


def test_r10_a_late_success_leaves_no_trace_of_the_failure_in_the_topoff(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff()
    topoff_id = desk.failed_topoff(desk.decline)
    assert desk.ledger.topoffs.topoff(topoff_id).reason is FailureReason.DECLINED
    desk.succeed(topoff_id)
    assert desk.ledger.topoffs.topoff(topoff_id).reason is None


def test_r10_a_late_success_leaves_another_topoff_in_flight(desk: Desk) -> None:
    desk.open(allotment=4).card().topoff(amount=20)
    first = desk.failed_topoff(desk.break_down)
    desk.card("pm_2")
    second = desk.account.topoff_id
    desk.succeed(first)
    assert desk.account.topoff_id == second
