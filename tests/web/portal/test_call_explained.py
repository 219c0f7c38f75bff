"""Why a call went as it did, in a sentence and in figures."""

from __future__ import annotations

import pytest

from gatekeeper.domain.call import CallEnd, Decision
from gatekeeper.domain.incident import FailureReason
from tests.ledger.desk import new_call
from tests.web.portal.billing_desk import NUMBER, fail
from tests.web.portal.calls_desk import CallsDesk
from tests.web.portal.conftest import Scene


@pytest.fixture
def desk(scene: Scene) -> CallsDesk:
    return CallsDesk(scene)


def test_why_a_call_was_answered(desk: CallsDesk) -> None:
    desk.allotment(3).card().topoff(threshold=3, amount=20)
    desk.purchased(20)
    call_sid = desk.called(duration_s=65)
    said = desk.copied().why(call_sid)
    assert "Why The call was answered from the monthly allotment (3 left before it)." in said
    assert "It completed, so its credit stays taken." in said
    assert f"To number {NUMBER} Outcome Caller answered, full conversation" in said
    assert "Reason From the allotment Credits Used 1" in said
    assert "Length 1 min 5 s" in said
    assert "Balance 23 credits Allotment 3 credits Purchased 20 credits" in said
    assert (
        "Auto top-off On Low-balance threshold 3 credits Top-up amount 20 credits"
        " Overdraft limit 20 credits Top-off in progress None Last failure None"
        " This call requested a top-off No"
    ) in said


def test_why_names_settings_as_they_were(desk: CallsDesk) -> None:
    desk.purchased(5)
    desk.card().topoff(threshold=5, amount=20)
    call_sid = desk.called()
    desk.topoff(on=False, threshold=1, amount=7)
    said = desk.copied().why(call_sid)
    assert "so a top-off of 20 credits was requested." in said
    assert "Auto top-off On Low-balance threshold 5 credits Top-up amount 20 credits" in said
    assert "This call requested a top-off Yes" in said


def test_why_of_a_call_while_a_topoff_is_on_its_way(desk: CallsDesk) -> None:
    desk.card().topoff(threshold=5, amount=20)
    asked = desk.called(None)
    desk.begin(desk.account.topoff_id)
    charging = desk.called(None)
    desk.copied()
    assert "although the balance was 0" in desk.why(asked)
    assert "Top-off in progress Requested, not charged yet" in desk.why(asked)
    assert "Top-off in progress Being charged" in desk.why(charging)
    figures = "Balance -1 credit Allotment 0 credits Purchased -1 credit"
    assert figures.replace("-", "\N{MINUS SIGN}") in desk.why(charging)
    assert "Its end is not known yet." in desk.why(asked)
    assert "Ended Not known yet Length —" in desk.why(asked)


@pytest.mark.parametrize("reason", FailureReason)
def test_why_a_call_was_dropped_names_the_promised_reason(
    desk: CallsDesk, reason: FailureReason
) -> None:
    fail(desk, reason)
    call_sid = desk.called()
    said = desk.copied().why(call_sid)
    assert f"the last top-off had failed: {reason.label}." in said
    assert f"Last failure {reason.label}" in said
    assert "generic_decline" not in said


def test_why_of_a_call_that_the_ledger_heard_of_at_its_end_alone(desk: CallsDesk) -> None:
    calls, told = desk.ledger.calls, {}
    for end in (CallEnd.COMPLETED, CallEnd.BUSY):
        call = new_call()
        calls.settle_call(desk.id, call, NUMBER, end, duration_s=9, debit_unknown=False)
        told[end] = call.call_sid
    desk.copied()
    counted = desk.why(told[CallEnd.COMPLETED])
    assert "The call counts as dropped" in counted
    assert "Outcome Call dropped Reason Balance could not be looked up in time" in counted
    assert "How the account stood then is not known." in counted
    assert "Whether the call was let through is not known any more." in desk.why(told[CallEnd.BUSY])


def test_why_of_a_call_that_was_told_a_drop_after_all(desk: CallsDesk) -> None:
    desk.purchased(3)
    call = new_call()
    desk.ledger.calls.admit_call(desk.id, call, NUMBER)
    desk.ledger.calls.admit_offline(desk.id, call, NUMBER, Decision.DROP)
    said = desk.copied().why(call.call_sid)
    assert "The call was dropped because the balance could not be looked up in time." in said
    assert "Credits Used 0" in said
