"""The rules, one by one, on the real scripts. docs/correctness.md points here."""

from __future__ import annotations

import pytest

from gatekeeper.domain.account import MAX_CREDITS
from gatekeeper.domain.call import Bucket, CallEnd, CallId, Decision, Reason
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason, Resolution
from gatekeeper.domain.notice import BalanceLow, TopoffSucceeded
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.calls import Settlement, Told
from gatekeeper.ledger.errors import CorrectionRefused, PaymentMismatch
from gatekeeper.ledger.topoffs import Charge, Failed, Look, Payment, RetryAnswer, Settled
from tests.conftest import MovableClock
from tests.ledger.desk import NUMBER, PRICE_MINOR, Desk, new_call

# R1: one credit a call


def test_r1_the_same_call_never_costs_two(desk: Desk) -> None:
    desk.open(allotment=10)
    call = new_call()
    first, *others = [desk.call(call) for _ in range(5)]
    assert not first.repeated
    assert all(again.repeated and again.verdict == first.verdict for again in others)
    assert desk.account.balance == 9


def test_r1_the_same_callsid_of_another_twilio_account_is_another_call(desk: Desk) -> None:
    desk.open(allotment=10)
    desk.call(CallId("AC" + "1" * 32, "CA" + "2" * 32))
    desk.call(CallId("AC" + "3" * 32, "CA" + "2" * 32))
    assert desk.account.balance == 8


def test_r1_a_dropped_call_stays_dropped_when_credits_come(desk: Desk) -> None:
    desk.open()
    call = new_call()
    assert desk.call(call).verdict.decision is Decision.DROP
    desk.ledger.accounts.add_credits(desk.id, 5, reference="r", cause="test")
    assert desk.call(call).verdict.decision is Decision.DROP
    assert desk.account.balance == 5


def test_r1_a_repeated_call_still_goes_where_its_account_says(desk: Desk) -> None:
    desk.open(allotment=1)
    own = {"route": "sip:bob@pbx.example.com", "drop_message": "We are closed today."}
    desk.ledger.accounts.update_account(desk.id, **own)
    answered, dropped = new_call(), new_call()
    for call in (answered, dropped, answered, dropped):
        admission = desk.call(call)
        assert {"route": admission.route, "drop_message": admission.drop_message} == own
    assert admission.repeated
    desk.ledger.accounts.update_account(desk.id, route="")
    assert (desk.call(answered).route, desk.call(dropped).route) == ("", "")
    assert desk.call(dropped).drop_message == "We are closed today."


# R2: settled at the end


def test_r2_completed_keeps_the_credit(desk: Desk) -> None:
    desk.open(allotment=3)
    call = new_call()
    desk.call(call)
    assert desk.end(call, CallEnd.COMPLETED) is Settlement.KEPT
    assert desk.account.balance == 2


@pytest.mark.parametrize("end", [end for end in CallEnd if end is not CallEnd.COMPLETED])
@pytest.mark.parametrize(("allotment", "purchased"), [(3, 4), (0, 4)])
def test_r2_other_ends_give_it_back_once_to_its_bucket(
    desk: Desk, end: CallEnd, allotment: int, purchased: int
) -> None:
    desk.open(allotment=allotment, purchased=purchased)
    call = new_call()
    desk.call(call)
    assert desk.end(call, end) is Settlement.RELEASED
    assert desk.end(call, end) is Settlement.REPEATED
    assert desk.end(call, CallEnd.COMPLETED) is Settlement.REPEATED
    assert (desk.account.allotment, desk.account.purchased) == (allotment, purchased)


def test_r2_a_call_let_through_without_the_ledger_is_debited_once_at_its_end(desk: Desk) -> None:
    desk.open(allotment=3)
    call = new_call()
    assert desk.end(call, CallEnd.COMPLETED) is Settlement.DEBITED
    assert desk.end(call, CallEnd.COMPLETED) is Settlement.REPEATED
    late = desk.call(call)
    assert (late.repeated, late.verdict.reason) == (True, Reason.LEDGER_UNREACHABLE)
    assert desk.account.balance == 2


def test_r2_a_call_dropped_without_the_ledger_costs_nothing(desk: Desk) -> None:
    desk.open(allotment=3)
    call = new_call()
    assert desk.end(call, CallEnd.COMPLETED, debit_unknown=False) is Settlement.CLOSED
    assert desk.account.balance == 3


def test_r12_what_twilio_was_told_counts(desk: Desk) -> None:
    desk.open(allotment=1)
    debited, dropped = new_call(), new_call()
    desk.call(debited)
    desk.call(dropped)
    admit_offline = desk.ledger.calls.admit_offline
    assert admit_offline(desk.id, debited, NUMBER, Decision.DROP) is Told.RELEASED
    assert desk.account.balance == 1
    assert admit_offline(desk.id, dropped, NUMBER, Decision.ANSWER) is Told.ANSWERED
    assert desk.end(debited, CallEnd.COMPLETED) is Settlement.CLOSED
    assert desk.end(dropped, CallEnd.COMPLETED) is Settlement.DEBITED
    assert desk.account.balance == 0


def test_r2_an_end_without_a_decision_costs_nothing_until_one_turns_up(desk: Desk) -> None:
    desk.open(allotment=3)
    journaled, late = new_call(), new_call()
    assert desk.end(journaled, CallEnd.COMPLETED, debit_unknown=False) is Settlement.CLOSED
    assert desk.end(late, CallEnd.COMPLETED, debit_unknown=False) is Settlement.CLOSED
    assert desk.account.balance == 3
    told = desk.ledger.calls.admit_offline(desk.id, journaled, NUMBER, Decision.ANSWER)
    assert told is Told.DEBITED
    assert desk.call(late).verdict.decision is Decision.ANSWER
    assert desk.end(late, CallEnd.BUSY) is Settlement.REPEATED
    assert desk.account.balance == 1


def test_a_call_is_known_to_its_own_account_alone(desk: Desk) -> None:
    desk.open(allotment=3)
    other = Desk(desk.ledger).open(allotment=3)  # in one shard they are neighbours
    call = new_call()
    desk.call(call)
    assert not desk.ledger.calls.knows(other.id, call)
    assert other.end(call, CallEnd.BUSY) is Settlement.CLOSED
    assert (desk.account.balance, other.account.balance) == (2, 3)
    assert desk.end(call, CallEnd.BUSY) is Settlement.RELEASED
    assert desk.account.balance == 3


# R3: two buckets


def test_r3_the_allotment_burns_first(desk: Desk) -> None:
    desk.open(allotment=2, purchased=2)
    buckets = [desk.call().verdict.bucket for _ in range(4)]
    assert buckets == [Bucket.ALLOTMENT] * 2 + [Bucket.PURCHASED] * 2


# R5: empty


def test_r5_dropped_when_auto_topoff_is_off(desk: Desk) -> None:
    desk.open(allotment=1)
    desk.call()
    assert desk.call().verdict.reason is Reason.EMPTY_TOPOFF_OFF
    assert desk.account.balance == 0


def test_r5_answered_into_overdraft_down_to_one_topoff_amount(desk: Desk) -> None:
    desk.open(allotment=1).topoff(threshold=1, amount=4)
    reasons = [desk.call().verdict.reason for _ in range(7)]
    assert reasons == (
        [Reason.ALLOTMENT] + [Reason.OVERDRAFT] * 4 + [Reason.EMPTY_OVERDRAFT_USED] * 2
    )
    assert (desk.account.balance, desk.account.purchased) == (-4, -4)


def test_r5_an_overdraft_limit_of_its_own(desk: Desk) -> None:
    desk.open().topoff(threshold=1, amount=4, limit=0)
    assert desk.call().verdict.reason is Reason.EMPTY_OVERDRAFT_USED


def test_r5_dropped_when_the_last_charge_failed(desk: Desk) -> None:
    desk.open().card().topoff()
    desk.failed_topoff(desk.decline)
    assert desk.call().verdict.reason is Reason.EMPTY_TOPOFF_FAILED


def test_a_suspended_account_takes_no_calls_and_charges_no_card(desk: Desk) -> None:
    desk.open(allotment=9)
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    desk.card().topoff(threshold=10)
    assert desk.call().verdict.reason is Reason.ACCOUNT_SUSPENDED
    assert (desk.account.topoff_id, desk.mail) == ("", [])
    desk.ledger.accounts.update_account(desk.id, suspended="")
    assert desk.account.topoff_id != ""


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
        desk.ledger.topoffs.settle_topoff(topoff_id, payment)
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


# R11: e-mail


def test_r11_dropping_is_told_once_an_empty_spell(desk: Desk) -> None:
    desk.open(purchased=1)
    for _ in range(4):
        desk.call()
    assert desk.mail == ["calls_dropped"]
    desk.ledger.accounts.add_credits(desk.id, 1, reference="r", cause="test")
    for _ in range(3):
        desk.call()
    assert desk.mail == ["calls_dropped"] * 2


def test_r11_dropping_is_told_again_for_a_new_incident(desk: Desk) -> None:
    desk.open().card().topoff()
    first = desk.failed_topoff(desk.decline)
    desk.call()
    desk.ledger.topoffs.request_topoff(desk.id, first)
    desk.failed_topoff(desk.decline)
    desk.call()
    assert sorted(desk.mail) == ["calls_dropped"] * 2 + ["topoff_failed"] * 2


def test_r11_a_low_balance_is_told_once_a_crossing(desk: Desk) -> None:
    desk.open(purchased=6).topoff(on=False, threshold=5)
    desk.call()
    assert desk.mail == []
    call = new_call()
    desk.call(call)
    desk.end(call, CallEnd.BUSY)
    desk.call()
    assert desk.mail == ["balance_low"]
    desk.ledger.accounts.add_credits(desk.id, 1, reference="r", cause="test")
    desk.call()
    assert desk.mail == ["balance_low"] * 2


@pytest.mark.parametrize(("charged", "named"), [("1881", "1881"), ("", "4242")])
def test_r11_the_confirmation_names_the_card_that_was_charged(
    desk: Desk, charged: str, named: str
) -> None:
    desk.open().card().topoff(amount=20)
    topoff_id = desk.account.topoff_id
    desk.begin(topoff_id)
    payment = Payment(f"pi_{topoff_id}", 20 * PRICE_MINOR, "usd", "cus_1", charged)
    desk.ledger.topoffs.settle_topoff(topoff_id, payment)
    (notice,) = desk.notices
    assert isinstance(notice, TopoffSucceeded)
    assert notice.card_last4 == named
    assert desk.ledger.topoffs.topoff(topoff_id).card_last4 == named


def test_r11_a_correction_can_leave_a_low_balance_too(desk: Desk) -> None:
    desk.open(purchased=6).topoff(on=False, threshold=5)
    remove = desk.ledger.accounts.remove_credits
    remove(desk.id, 1, reference="a", cause="mistake")
    assert desk.mail == []
    remove(desk.id, 1, reference="b", cause="mistake")
    remove(desk.id, 1, reference="c", cause="mistake")
    (notice,) = desk.notices
    assert isinstance(notice, BalanceLow)
    assert (notice.balance, notice.threshold) == (4, 5)


def test_r6_a_correction_below_the_threshold_requests_a_topoff_instead(desk: Desk) -> None:
    desk.open(purchased=6).card().topoff(threshold=5)
    desk.ledger.accounts.remove_credits(desk.id, 2, reference="a", cause="mistake")
    assert desk.account.topoff_state is TopoffState.REQUESTED
    assert desk.mail == []


# R15: the log


def test_r15_a_reference_is_the_accounts_own(desk: Desk) -> None:
    desk.open()
    other = Desk(desk.ledger).open()
    for one in (desk, other):
        assert one.ledger.accounts.add_credits(one.id, 5, reference="welcome", cause="welcome")
        assert one.account.balance == 5


def test_r15_corrections_are_entries_and_count_once(desk: Desk) -> None:
    desk.open()
    accounts = desk.ledger.accounts
    assert accounts.add_credits(desk.id, 9, reference="a", cause="goodwill")
    assert not accounts.add_credits(desk.id, 9, reference="a", cause="goodwill")
    with pytest.raises(CorrectionRefused):
        accounts.add_credits(desk.id, 8, reference="a", cause="goodwill")
    assert accounts.remove_credits(desk.id, 2, reference="b", cause="mistake")
    with pytest.raises(CorrectionRefused):
        accounts.remove_credits(desk.id, 100, reference="c", cause="mistake")
    entries = [(e.type, e.purchased_delta, e.cause) for e in desk.ledger.log.entries(desk.id)]
    assert entries[1:] == [("credits_added", 9, "goodwill"), ("credits_removed", -2, "mistake")]
    assert desk.account.balance == 7


def test_r15_no_correction_makes_more_credits_than_the_most(desk: Desk) -> None:
    desk.open(purchased=10)
    add = desk.ledger.accounts.add_credits
    with pytest.raises(CorrectionRefused, match=f"only {MAX_CREDITS - 10} purchased"):
        add(desk.id, MAX_CREDITS - 9, reference="a", cause="goodwill")
    assert desk.account.purchased == 10
    assert add(desk.id, MAX_CREDITS - 10, reference="a", cause="goodwill")
    assert desk.account.purchased == MAX_CREDITS
    with pytest.raises(CorrectionRefused):
        add(desk.id, 1, reference="b", cause="goodwill")


def test_the_explanation_is_what_the_decision_saw(desk: Desk) -> None:
    desk.open(allotment=5, purchased=2).card().topoff(threshold=7, amount=30)
    standing, call = desk.account.standing, new_call()
    desk.call(call)
    (found,) = desk.ledger.calls.find(call.call_sid)
    assert (found.account_id, found.call) == (desk.id, call)
    record = found.record
    assert record.standing == standing
    assert record.verdict.reason is Reason.ALLOTMENT
    assert record.topoff_requested
