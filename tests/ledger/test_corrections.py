"""R13 on the real scripts: credits follow the money both ways. See docs/correctness.md."""

from __future__ import annotations

import math
import secrets
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.domain.account import MAX_CHARGE_MINOR, MAX_CREDITS
from gatekeeper.domain.correction import CorrectionCause, Reversal, credits_due_back
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.incident import Resolution
from gatekeeper.domain.notice import CreditsClawedBack
from gatekeeper.ledger.corrections import Corrected, Correction, CreditedPayment
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Charge, Look
from tests.conftest import MovableClock
from tests.ledger.desk import PRICE_MINOR, Desk, new_call

CREDITS = 20
PAID_MINOR = CREDITS * PRICE_MINOR


def refund(amount_minor: int, name: str = "a", status: str = "succeeded") -> Reversal:
    rank = {"requires_action": 0, "pending": 1, "succeeded": 1, "failed": 2}[status]
    return Reversal(f"re_{name}", CorrectionCause.REFUND, rank, amount_minor, rank == 1)


def dispute(amount_minor: int, moves: int, name: str = "a") -> Reversal:
    return Reversal(f"du_{name}", CorrectionCause.DISPUTE, moves, amount_minor, moves % 2 == 1)


@pytest.fixture
def topoff_id(desk: Desk) -> str:
    """A top-off of 20 credits for 5 dollars that succeeded; auto top-off is on."""
    desk.open().card().topoff(threshold=5, amount=CREDITS)
    return desk.paid_topoff()


def told(desk: Desk) -> list[CreditsClawedBack]:
    return [notice for notice in desk.notices if isinstance(notice, CreditsClawedBack)]


def taken(desk: Desk) -> list[tuple[str, int, str, str]]:
    """List what money that moved did to the balance: type, credits, cause, and what it was."""
    entries = desk.ledger.log.entries(desk.id)
    kinds = (EntryType.CREDITS_CLAWED_BACK, EntryType.CREDITS_RETURNED)
    return [(e.type, e.purchased_delta, e.cause, e.detail) for e in entries if e.type in kinds]


def test_r13_a_refund_takes_its_share_and_switches_auto_topoff_off_at_once(
    desk: Desk, topoff_id: str
) -> None:
    assert desk.correct(topoff_id, refund(200)) == Correction(Corrected.CLAWED_BACK, -8, 12)
    account = desk.account
    assert (account.balance, account.topoff.enabled) == (12, False)
    assert taken(desk) == [(EntryType.CREDITS_CLAWED_BACK, -8, "refund", "re_a 200 usd")]
    (notice,) = told(desk)
    assert (notice.cause, notice.credits, notice.amount_minor, notice.currency) == (
        CorrectionCause.REFUND,
        8,
        200,
        "usd",
    )
    assert (notice.balance, notice.switched_off) == (12, True)


def test_r13_telling_it_again_changes_nothing(desk: Desk, topoff_id: str) -> None:
    desk.correct(topoff_id, refund(200))
    desk.topoff(threshold=5, amount=CREDITS)  # on again, by the customer
    for _ in range(3):
        again = desk.correct(topoff_id, refund(200))
        assert again == Correction(Corrected.UNCHANGED, 0, 12)
    assert (desk.account.topoff.enabled, len(told(desk))) == (True, 1)


def test_r13_partial_refunds_add_up_and_round_in_the_customers_favour(
    desk: Desk, topoff_id: str
) -> None:
    first, second, third = refund(24, "a"), refund(24, "b"), refund(2, "c")
    assert desk.correct(topoff_id, first).credits == 0
    assert desk.correct(topoff_id, first, second).credits == -1  # 48 cents
    assert desk.correct(topoff_id, third, first, second).credits == -1  # 50 cents
    assert desk.account.balance == CREDITS - 2


def test_r13_a_refund_of_a_cent_takes_no_credit_but_switches_off(
    desk: Desk, topoff_id: str
) -> None:
    assert desk.correct(topoff_id, refund(1)) == Correction(Corrected.CLAWED_BACK, 0, CREDITS)
    assert not desk.account.topoff.enabled
    assert taken(desk) == [(EntryType.CREDITS_CLAWED_BACK, 0, "refund", "re_a 1 usd")]
    (notice,) = told(desk)
    assert (notice.credits, notice.amount_minor) == (0, 1)


def test_r13_a_refund_that_fails_returns_its_credits(desk: Desk, topoff_id: str) -> None:
    desk.correct(topoff_id, refund(200, status="pending"))
    failed = desk.correct(topoff_id, refund(200, status="failed"))
    assert failed == Correction(Corrected.RETURNED, 8, CREDITS)
    stale = desk.correct(topoff_id, refund(200, status="succeeded"))
    assert stale == Correction(Corrected.UNCHANGED, 0, CREDITS)
    assert [(kind, delta) for kind, delta, *_ in taken(desk)] == [
        (EntryType.CREDITS_CLAWED_BACK, -8),
        (EntryType.CREDITS_RETURNED, 8),
    ]
    assert not desk.account.topoff.enabled  # only the customer switches it on
    assert len(told(desk)) == 1


def test_r13_a_refund_that_needs_the_customers_action_takes_nothing_yet(
    desk: Desk, topoff_id: str
) -> None:
    waiting = desk.correct(topoff_id, refund(200, status="requires_action"))
    assert waiting == Correction(Corrected.UNCHANGED, 0, CREDITS)
    assert desk.account.topoff.enabled
    assert desk.correct(topoff_id, refund(200)).credits == -8


def test_r13_an_inquiry_takes_nothing_until_it_becomes_a_dispute(
    desk: Desk, topoff_id: str
) -> None:
    assert desk.correct(topoff_id, dispute(PAID_MINOR, moves=0)).outcome is Corrected.UNCHANGED
    assert (desk.account.balance, desk.account.topoff.enabled) == (CREDITS, True)
    assert desk.correct(topoff_id, dispute(PAID_MINOR, moves=1)).credits == -CREDITS


def test_r13_a_dispute_that_is_won_returns_what_it_took_and_no_more(
    desk: Desk, topoff_id: str
) -> None:
    returned = refund(125)
    desk.correct(topoff_id, returned)
    assert desk.correct(topoff_id, returned, dispute(375, moves=1)).credits == -15
    assert desk.account.balance == 0
    assert desk.correct(topoff_id, dispute(375, moves=2)).credits == 15
    assert desk.correct(topoff_id, dispute(375, moves=1)).credits == 0
    assert desk.account.balance == 15
    assert taken(desk)[-1] == (EntryType.CREDITS_RETURNED, 15, "dispute", "du_a 375 usd")


def test_r13_a_dispute_and_a_refund_of_the_same_money_take_it_once(
    desk: Desk, topoff_id: str
) -> None:
    desk.correct(topoff_id, refund(PAID_MINOR))
    both = desk.correct(topoff_id, refund(PAID_MINOR), dispute(PAID_MINOR, moves=1))
    assert both == Correction(Corrected.CLAWED_BACK, 0, 0)
    assert desk.correct(topoff_id, dispute(PAID_MINOR, moves=2)).credits == 0
    assert desk.correct(topoff_id, refund(PAID_MINOR, status="failed")).credits == CREDITS


def _use_up(desk: Desk) -> None:
    """Leave three credits, and a top-off requested for that."""
    desk.ledger.accounts.remove_credits(desk.id, CREDITS - 3, reference="used", cause="test")
    assert desk.ledger.topoffs.look_at_threshold(desk.id) is Look.REQUESTED


def test_r13_credits_that_were_used_leave_the_balance_below_zero(
    desk: Desk, topoff_id: str, clock: MovableClock
) -> None:
    _use_up(desk)
    in_flight = desk.account.topoff_id
    assert in_flight
    desk.correct(topoff_id, refund(PAID_MINOR))
    account = desk.account
    assert (account.balance, account.topoff_id) == (3 - CREDITS, in_flight)
    assert desk.begin(in_flight) is Charge.CANCELED
    assert desk.call(new_call()).verdict.reason == "empty_topoff_off"
    assert desk.account.topoff_id == ""


def test_r13_far_below_the_threshold_nothing_is_charged(desk: Desk, topoff_id: str) -> None:
    desk.correct(topoff_id, refund(PAID_MINOR))
    desk.card("pm_2")
    desk.call()
    assert desk.account.topoff_id == ""
    requested = [
        entry
        for entry in desk.ledger.log.entries(desk.id)
        if entry.type is EntryType.TOPOFF_REQUESTED
    ]
    assert len(requested) == 1


def test_r13_a_charge_under_way_ends_as_it_ends(desk: Desk, topoff_id: str) -> None:
    _use_up(desk)
    under_way = desk.account.topoff_id
    assert desk.begin(under_way) is Charge.CHARGE
    desk.correct(topoff_id, refund(PAID_MINOR))
    desk.succeed(under_way)
    account = desk.account
    assert (account.balance, account.topoff.enabled, account.topoff_id) == (3, False, "")


def test_r13_an_open_incident_is_over_once_nothing_is_attempted(desk: Desk, topoff_id: str) -> None:
    _use_up(desk)
    desk.failed_topoff(desk.decline)
    desk.correct(topoff_id, refund(100))
    incident = desk.ledger.accounts.incident(desk.id)
    assert incident is not None
    assert incident.resolution is Resolution.SWITCHED_OFF
    assert (desk.account.incident_id, desk.account.blocked_by) == ("", None)


def test_r13_auto_topoff_that_was_off_stays_off_and_is_not_said_to_be_switched(
    desk: Desk, topoff_id: str
) -> None:
    desk.topoff(on=False)
    desk.correct(topoff_id, refund(100))
    (notice,) = told(desk)
    assert not notice.switched_off


def test_r13_a_payment_that_gave_no_credits_gives_none_back(desk: Desk) -> None:
    desk.open().card().topoff(amount=CREDITS)
    charging = desk.account.topoff_id
    desk.begin(charging)
    assert desk.correct(charging, refund(PAID_MINOR)) == Correction(Corrected.NOT_CREDITED, 0, 0)
    assert (desk.account.topoff.enabled, told(desk)) == (True, [])
    desk.succeed(charging)
    assert desk.correct(charging, refund(PAID_MINOR)).credits == -CREDITS


def test_r13_a_period_that_has_ended_turns_first(desk: Desk, clock: MovableClock) -> None:
    desk.open(allotment=4).card().topoff(threshold=5, amount=CREDITS)
    paid = desk.paid_topoff()
    clock.advance(s=40 * 24 * 3600)
    assert desk.correct(paid, refund(PAID_MINOR)) == Correction(Corrected.CLAWED_BACK, -CREDITS, 4)
    assert [entry.type for entry in desk.ledger.log.entries(desk.id)][-3:] == [
        EntryType.CYCLE_STARTED,
        EntryType.CREDITS_CLAWED_BACK,
        EntryType.ACCOUNT_CHANGED,
    ]


def test_r13_eight_at_once_claw_back_once(desk: Desk, topoff_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(desk.correct, topoff_id, refund(200)) for _ in range(8)]
        outcomes = [run.result().outcome for run in runs]
    assert sorted(outcomes) == [Corrected.CLAWED_BACK, *[Corrected.UNCHANGED] * 7]
    assert (desk.account.balance, len(told(desk)), len(taken(desk))) == (12, 1, 1)


# Whatever the order

lives = st.tuples(st.sampled_from("abcd"), st.integers(1, PAID_MINOR)).flatmap(
    lambda life: st.sampled_from(
        [
            [refund(life[1], life[0])],
            [refund(life[1], life[0], "requires_action"), refund(life[1], life[0])],
            [refund(life[1], life[0], "pending"), refund(life[1], life[0], "failed")],
            [dispute(life[1], 0, life[0]), dispute(life[1], 1, life[0])],
            [dispute(life[1], moves, life[0]) for moves in range(3)],
        ]
    )
)


@given(
    histories=st.lists(lives, max_size=4, unique_by=lambda life: life[0].id),
    data=st.data(),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_r13_any_order_and_any_repetition_ends_in_the_same_balance(
    ledger: Ledger, histories: list[list[Reversal]], data: st.DataObject
) -> None:
    desk = Desk(ledger).open().card().topoff(threshold=5, amount=CREDITS)
    topoff_id = desk.paid_topoff()
    everything = [reading for life in histories for reading in life]
    for reading in data.draw(st.permutations(everything * 2)):
        desk.correct(topoff_id, reading)
        assert 0 <= desk.account.balance <= CREDITS
    newest = [life[-1] for life in histories]
    desk.correct(topoff_id, *data.draw(st.permutations(newest)))
    assert desk.account.balance == CREDITS - credits_due_back(CREDITS, PAID_MINOR, newest)
    assert sum(delta for _, delta, *_ in taken(desk)) == desk.account.balance - CREDITS


@given(
    credits=st.integers(1, MAX_CREDITS) | st.integers(MAX_CREDITS - 9, MAX_CREDITS),
    paid_minor=st.integers(50, MAX_CHARGE_MINOR),
    share=st.fractions(0, 1) | st.just(Fraction(1)),
)
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_r13_the_script_counts_exactly_at_any_size(
    desk: Desk, topoff_id: str, credits: int, paid_minor: int, share: Fraction
) -> None:
    payment = CreditedPayment(topoff_id, f"pi_{secrets.token_hex(8)}", credits, paid_minor, "usd")
    gone = refund(math.ceil(share * paid_minor))
    corrected = desk.ledger.corrections.correct_payment(desk.id, payment, [gone])
    assert -corrected.credits == credits_due_back(credits, paid_minor, [gone])
