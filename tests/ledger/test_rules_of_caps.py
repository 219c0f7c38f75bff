"""The spending cap of top-offs (R5, R6, R8) on the real scripts. See docs/correctness.md."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.call import Decision, Reason, decide
from gatekeeper.domain.entry import EntryType, capped_of
from gatekeeper.domain.notice import SpendingCapReached, TopoffSucceeded
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.topoffs import Charge, Payment, RetryAnswer, Settled
from tests.conftest import MovableClock
from tests.ledger.capped import DAY_S, TOPOFF_MINOR, empty, entries, record_of_drop, topped_off
from tests.ledger.desk import PRICE, PRICE_MINOR, Desk, new_call


def test_once_the_next_would_not_fit_none_begins(desk: Desk) -> None:
    topped_off(desk, cap=2 * TOPOFF_MINOR - 1)
    account = desk.account
    assert (account.spent_minor, account.topoff_capped) == (TOPOFF_MINOR, True)
    dropped = empty(desk)
    assert (dropped.verdict.decision, dropped.verdict.reason) == (
        Decision.DROP,
        Reason.EMPTY_TOPOFF_CAPPED,
    )
    assert len(entries(desk, EntryType.TOPOFF_REQUESTED)) == 1
    assert (desk.account.balance, desk.account.topoff_id) == (0, "")
    assert audit_ledger(desk.ledger) == []


def test_exactly_the_cap_may_be_spent(desk: Desk) -> None:
    topped_off(desk, cap=2 * TOPOFF_MINOR)
    assert not desk.account.topoff_capped
    for _ in range(16):
        desk.call()
    desk.paid_topoff()
    account = desk.account
    assert (account.spent_minor, account.topoff_capped) == (2 * TOPOFF_MINOR, True)
    (capped,) = entries(desk, EntryType.TOPOFF_CAPPED)
    assert capped_of(capped) == (2 * TOPOFF_MINOR, 2 * TOPOFF_MINOR, "usd")
    assert (capped.allotment_delta, capped.purchased_delta, capped.ref) == (0, 0, desk.id)


def test_a_drop_for_the_cap_replays(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    dropped = empty(desk)
    record = record_of_drop(desk)
    assert record.standing.topoff_capped
    assert record.standing.blocked_by is None
    assert decide(record.standing) == record.verdict == dropped.verdict


def test_while_one_is_in_flight_credits_can_still_come(desk: Desk) -> None:
    desk.open().card().topoff(cap=2 * TOPOFF_MINOR)
    first = desk.account.topoff_id
    assert desk.begin(first) is Charge.CHARGE
    desk.topoff(cap=TOPOFF_MINOR - 1)
    assert desk.account.topoff_capped
    assert desk.call().verdict.reason is Reason.OVERDRAFT
    assert desk.succeed(first) is Settled.SETTLED


def test_what_is_being_charged_goes_on_to_its_end_and_counts(desk: Desk) -> None:
    desk.open().card().topoff(cap=TOPOFF_MINOR)
    first = desk.account.topoff_id
    assert desk.begin(first) is Charge.CHARGE
    desk.topoff(amount=10, cap=10 * PRICE_MINOR)  # half of what is being charged
    assert desk.begin(first) is Charge.CHARGE
    assert desk.succeed(first) is Settled.SETTLED
    account = desk.account
    assert (account.balance, account.spent_minor, account.topoff_capped) == (
        20,
        TOPOFF_MINOR,
        True,
    )
    assert audit_ledger(desk.ledger) == []


def test_what_was_only_requested_and_does_not_fit_is_canceled(desk: Desk) -> None:
    desk.open().card().topoff(amount=20, cap=TOPOFF_MINOR)
    first = desk.account.topoff_id
    desk.topoff(amount=20, cap=TOPOFF_MINOR - 1)
    assert desk.begin(first) is Charge.CANCELED
    assert desk.ledger.topoffs.topoff(first).state is TopoffState.CANCELED
    assert (desk.account.topoff_id, desk.account.topoff_capped) == ("", True)
    (canceled,) = entries(desk, EntryType.TOPOFF_CANCELED)
    assert (canceled.ref, canceled.cause) == (first, "spending_cap")
    assert desk.begin(first) is Charge.FINISHED
    assert audit_ledger(desk.ledger) == []


def test_one_of_what_is_set_now_takes_the_place_of_what_does_not_fit(desk: Desk) -> None:
    desk.open().card().topoff(amount=20, cap=TOPOFF_MINOR)
    first = desk.account.topoff_id
    desk.topoff(amount=10, cap=TOPOFF_MINOR - 1)
    assert desk.begin(first) is Charge.CANCELED
    assert not desk.account.topoff_capped
    second = desk.paid_topoff()
    assert second != first
    assert desk.account.spent_minor == 10 * PRICE_MINOR


def test_a_price_that_rose_since_is_noticed_when_the_charge_begins(desk: Desk) -> None:
    desk.open().card().topoff(cap=TOPOFF_MINOR)
    first = desk.account.topoff_id
    charge, _ = desk.ledger.topoffs.begin_charge(first, price_minor=26, currency="usd")
    assert charge is Charge.CANCELED
    assert desk.account.topoff_capped
    assert desk.mail == ["spending_cap_reached"]


def test_what_still_fits_is_told_by_the_price_of_now(desk: Desk) -> None:
    """The charge began at an own price of 60 cents, which has ended when it is paid."""
    desk.open().card().topoff(cap=4 * TOPOFF_MINOR)
    desk.ledger.accounts.update_account(desk.id, price=PRICE, price_minor="60")
    first = desk.account.topoff_id
    assert desk.begin(first) is Charge.CHARGE
    desk.ledger.accounts.update_account(desk.id, price=PRICE, price_minor="")
    payment = Payment(f"pi_{first}", 20 * 60, "usd", "cus_1", "4242")
    desk.ledger.topoffs.settle_topoff(first, payment, price_minor=PRICE_MINOR)
    assert (desk.account.spent_minor, desk.account.topoff_capped) == (20 * 60, False)
    for _ in range(16):
        desk.call()
    assert desk.account.topoff_id


def test_a_price_that_rose_since_the_charge_began_does_not_count(desk: Desk) -> None:
    """A run that died before it stored a PaymentIntent asks Stripe for the same as then."""
    desk.open().card().topoff(cap=TOPOFF_MINOR)
    first = desk.account.topoff_id
    for price_minor, currency in ((PRICE_MINOR, "usd"), (PRICE_MINOR + 1, "eur")):
        charge, topoff = desk.ledger.topoffs.begin_charge(
            first, price_minor=price_minor, currency=currency
        )
        assert (charge, topoff.payment_method) == (Charge.CHARGE, "pm_1")
        assert (topoff.amount_minor, topoff.currency) == (TOPOFF_MINOR, "usd")
        desk.card("pm_2")


@pytest.mark.parametrize(("off", "cause"), [(True, "switched_off"), (False, "suspended")])
def test_every_canceled_topoff_leaves_a_line(desk: Desk, off: bool, cause: str) -> None:
    desk.open().card().topoff()
    first = desk.account.topoff_id
    if off:
        desk.topoff(on=False)
    else:
        desk.ledger.accounts.update_account(desk.id, suspended="1")
    assert desk.begin(first) is Charge.CANCELED
    assert desk.begin(first) is Charge.FINISHED
    (canceled,) = entries(desk, EntryType.TOPOFF_CANCELED)
    assert (canceled.ref, canceled.cause, canceled.detail) == (first, cause, "")
    assert audit_ledger(desk.ledger) == []


def test_neither_by_hand(desk: Desk) -> None:
    desk.open().card().topoff(cap=TOPOFF_MINOR)
    incident_id = desk.failed_topoff(desk.decline)
    desk.topoff(cap=TOPOFF_MINOR - 1)
    answer = desk.ledger.topoffs.request_topoff(desk.id, incident_id)
    assert answer is RetryAnswer.CAPPED
    assert desk.account.topoff_id == ""
    desk.card("pm_2")  # lifts the block
    assert desk.account.topoff_id == ""


def test_what_is_bought_by_hand_does_not_count(desk: Desk) -> None:
    topped_off(desk, cap=2 * TOPOFF_MINOR)
    desk.buy()
    assert (desk.account.spent_minor, desk.account.topoff_capped) == (TOPOFF_MINOR, False)


def test_a_higher_cap_or_none_goes_on_at_once(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    empty(desk)
    desk.topoff(cap=2 * TOPOFF_MINOR)
    assert desk.account.topoff_id
    desk.paid_topoff()
    assert desk.account.topoff_capped
    empty(desk)
    desk.topoff(cap=None)
    assert not desk.account.topoff_capped
    assert desk.account.topoff_id
    assert desk.account.spent_minor == 2 * TOPOFF_MINOR


def test_off_is_not_capped_and_on_again_is(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    desk.topoff(on=False, cap=TOPOFF_MINOR)
    assert not desk.account.topoff_capped
    assert empty(desk).verdict.reason is Reason.EMPTY_TOPOFF_OFF
    desk.topoff(on=True, cap=TOPOFF_MINOR)
    assert desk.account.topoff_capped
    assert desk.account.topoff_id == ""
    assert len(entries(desk, EntryType.TOPOFF_CAPPED)) == 2
    assert desk.mail.count("spending_cap_reached") == 1


def test_the_accounts_price_moves_what_fits(desk: Desk) -> None:
    topped_off(desk, cap=2 * TOPOFF_MINOR)
    empty(desk)
    topoff_id = desk.account.topoff_id
    assert topoff_id
    desk.ledger.accounts.update_account(desk.id, price=PRICE, price_minor="26")
    assert desk.account.topoff_capped
    assert desk.begin(topoff_id) is Charge.CANCELED
    desk.ledger.accounts.update_account(desk.id, price=PRICE, price_minor="")
    assert not desk.account.topoff_capped
    assert desk.account.topoff_id not in ("", topoff_id)


def test_told_once_a_period_and_again_for_a_higher_cap(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    first = desk.notices[0]
    assert isinstance(first, SpendingCapReached)
    account = desk.account
    assert (first.cap_minor, first.spent_minor, first.amount_minor, first.currency) == (
        TOPOFF_MINOR,
        TOPOFF_MINOR,
        TOPOFF_MINOR,
        "usd",
    )
    assert (first.resumes_at_ms, first.balance) == (account.cycle_end_ms, 20)
    for cap in (None, TOPOFF_MINOR, TOPOFF_MINOR - 1):
        desk.topoff(cap=cap)
    assert desk.mail == ["spending_cap_reached", "topoff_succeeded"]
    desk.topoff(cap=TOPOFF_MINOR + 1)
    desk.topoff(cap=None)
    desk.topoff(cap=TOPOFF_MINOR + 2)
    assert desk.mail.count("spending_cap_reached") == 2


def test_a_lower_cap_than_the_one_told_of_is_not_told_again(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    desk.topoff(cap=2 * TOPOFF_MINOR)
    assert not desk.account.topoff_capped
    desk.topoff(cap=TOPOFF_MINOR - 1)
    assert desk.account.topoff_capped
    assert desk.mail.count("spending_cap_reached") == 1


def test_a_settlement_that_reaches_the_cap_leaves_two_notices(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    (capped,) = [one for one in desk.notices if isinstance(one, SpendingCapReached)]
    (paid,) = [one for one in desk.notices if isinstance(one, TopoffSucceeded)]
    assert len(desk.notices) == 2
    assert (capped.cap_minor, capped.spent_minor) == (TOPOFF_MINOR, TOPOFF_MINOR)
    assert (paid.credits, paid.amount_minor, paid.card_last4) == (20, TOPOFF_MINOR, "4242")


def test_below_the_threshold_the_caps_email_has_told_it(desk: Desk) -> None:
    topped_off(desk, cap=TOPOFF_MINOR)
    empty(desk)
    assert sorted(desk.mail) == ["calls_dropped", "spending_cap_reached", "topoff_succeeded"]


_STEPS = ["call", "call", "begin", "succeed", "fail", "retry", "card", "off", "on", "small", "wait"]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.sampled_from(_STEPS), max_size=60), cap=st.integers(500, 2500))
def test_never_more_than_the_cap_is_charged_in_a_period(
    desk: Desk, clock: MovableClock, steps: list[str], cap: int
) -> None:
    """Charges by the period in which they began; none of them succeeds after it was failed."""
    mine = Desk(desk.ledger).open(allotment=2).card().topoff(threshold=15, cap=cap)
    begun: dict[str, tuple[int, int]] = {}
    for step in steps:
        _take(mine, clock, step, cap, begun)
        by_period: dict[int, int] = {}
        for topoff_id, (cycle_no, amount_minor) in begun.items():
            if mine.ledger.topoffs.topoff(topoff_id).state is not TopoffState.FAILED:
                by_period[cycle_no] = by_period.get(cycle_no, 0) + amount_minor
        assert all(spent <= cap for spent in by_period.values())
    assert audit_ledger(mine.ledger) == []


def _take(
    mine: Desk, clock: MovableClock, step: str, cap: int, begun: dict[str, tuple[int, int]]
) -> None:
    account, topoffs = mine.account, mine.ledger.topoffs
    topoff_id = account.topoff_id
    match step:
        case "call":
            for _ in range(6):
                mine.call(new_call())
        case "begin" if topoff_id and mine.begin(topoff_id) is Charge.CHARGE:
            charged = topoffs.topoff(topoff_id)
            assert charged.amount_minor is not None
            begun.setdefault(topoff_id, (mine.account.cycle_no, charged.amount_minor))
        case "succeed" if topoff_id in begun:
            amount_minor = begun[topoff_id][1]
            # The period of a charge is the one in which it is settled.
            payment = Payment(f"pi_{topoff_id}", amount_minor, "usd", "cus_1", "")
            assert (
                topoffs.settle_topoff(topoff_id, payment, price_minor=PRICE_MINOR)
                is Settled.SETTLED
            )
            begun[topoff_id] = (mine.account.cycle_no, amount_minor)
        case "fail" if topoff_id in begun:
            mine.decline(topoff_id)
        case "retry":
            topoffs.request_topoff(mine.id, account.incident_id)
        case "card":
            mine.card("pm_2")
        case "off" | "on":
            chosen = TopoffSettings(step == "on", 15, 20, None, cap)
            mine.ledger.accounts.set_topoff(mine.id, chosen, price=PRICE)
        case "small":
            mine.topoff(threshold=5, amount=7, cap=cap)
        case "wait" if not topoff_id:
            clock.advance(s=20 * DAY_S)
