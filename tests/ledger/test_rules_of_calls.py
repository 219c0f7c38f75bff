"""R1, R2, R3, R5 and R12 on the real scripts: what a call costs. See docs/correctness.md."""

from __future__ import annotations

import pytest

from gatekeeper.domain.call import Bucket, CallEnd, CallId, Decision, Reason
from gatekeeper.ledger.calls import Settlement, Told
from tests.ledger.desk import NUMBER, Desk, new_call

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
    desk.ledger.accounts.update_account(
        desk.id, route=own["route"], drop_message=own["drop_message"]
    )
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
