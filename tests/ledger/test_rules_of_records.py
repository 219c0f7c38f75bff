"""R11 and R15 on the real scripts: what is told and what is logged. See docs/correctness.md."""

from __future__ import annotations

import pytest

from gatekeeper.domain.account import MAX_CREDITS
from gatekeeper.domain.call import CallEnd, Reason
from gatekeeper.domain.notice import BalanceLow, TopoffSucceeded
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.errors import CreditsRefused
from gatekeeper.ledger.topoffs import Payment
from tests.ledger.desk import PRICE_MINOR, Desk, new_call

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
    desk.ledger.topoffs.settle_topoff(topoff_id, payment, price_minor=PRICE_MINOR)
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


def test_r13_credits_taken_by_hand_charge_no_card_before_the_next_call(desk: Desk) -> None:
    desk.open(purchased=6).card().topoff(threshold=5)
    desk.ledger.accounts.remove_credits(desk.id, 2, reference="a", cause="mistake")
    assert desk.account.topoff_state is None
    assert desk.mail == []
    desk.call()
    assert desk.account.topoff_state is TopoffState.REQUESTED


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
    with pytest.raises(CreditsRefused):
        accounts.add_credits(desk.id, 8, reference="a", cause="goodwill")
    assert accounts.remove_credits(desk.id, 2, reference="b", cause="mistake")
    with pytest.raises(CreditsRefused):
        accounts.remove_credits(desk.id, 100, reference="c", cause="mistake")
    entries = [(e.type, e.purchased_delta, e.cause) for e in desk.ledger.log.entries(desk.id)]
    assert entries[1:] == [("credits_added", 9, "goodwill"), ("credits_removed", -2, "mistake")]
    assert desk.account.balance == 7


def test_r15_no_correction_makes_more_credits_than_the_most(desk: Desk) -> None:
    desk.open(purchased=10)
    add = desk.ledger.accounts.add_credits
    with pytest.raises(CreditsRefused, match=f"only {MAX_CREDITS - 10:,} purchased"):
        add(desk.id, MAX_CREDITS - 9, reference="a", cause="goodwill")
    assert desk.account.purchased == 10
    assert add(desk.id, MAX_CREDITS - 10, reference="a", cause="goodwill")
    assert desk.account.purchased == MAX_CREDITS
    with pytest.raises(CreditsRefused):
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
