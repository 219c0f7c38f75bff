"""R4: an account follows the subscription that drives it, by what Stripe says now."""

from __future__ import annotations

import pytest

from gatekeeper.domain.call import Reason
from gatekeeper.domain.entry import EntryType
from tests.conftest import MovableClock
from tests.payments.members import PRO, STARTER, Member, new_call
from tests.payments.till import Till
from tests.sandbox.stripe.subscribing import MID_FEBRUARY, at

TURN = "2027-02-28T09:00"
PAID = "2027-02-28T10:00"


@pytest.fixture
def member(till: Till, clock: MovableClock) -> Member:
    return Member(till, clock)


def test_an_account_linked_in_the_middle_of_a_period_gets_its_allotment(member: Member) -> None:
    member.subscription = member.customer.subscribe()
    member.wait_until(MID_FEBRUARY)
    member.link()
    assert (member.allotment, member.account.subscription_status) == (STARTER, "active")
    member.assert_in_step()
    member.link()
    member.hear()
    assert member.allotment == STARTER


def test_an_allotment_of_its_own_counts_towards_the_subscriptions(member: Member) -> None:
    ledger, own = member.ledger, member.account
    ledger.cycles.set_cycle(own.id, allotment=30, anchor_ms=own.anchor_ms, interval=own.interval)
    member.call()
    member.subscribe()
    assert member.allotment == STARTER - 1


def test_a_trial_has_its_allotment_and_its_end_begins_a_new_period(member: Member) -> None:
    member.subscribe(trial_period_days=45)
    member.call()
    assert member.allotment == STARTER - 1
    member.wait_until("2027-03-01T00:00")
    assert not member.ledger.cycles.turn(member.account)  # a job that on-call ran again
    member.wait_until("2027-03-17T09:00")
    member.call()
    assert member.allotment == STARTER - 1
    member.hear()
    assert (member.allotment, member.account.subscription_status) == (STARTER - 1, "active")
    member.assert_in_step()
    assert member.count(EntryType.CYCLE_STARTED) == 1


@pytest.mark.parametrize(("behavior", "status"), [("cancel", "canceled"), ("pause", "paused")])
def test_a_trial_that_nobody_pays_for_leaves_nothing(
    member: Member, behavior: str, status: str
) -> None:
    member.stripe.v1.payment_methods.detach(member.customer.card)
    end = {"end_behavior": {"missing_payment_method": behavior}}
    member.subscribe(trial_period_days=14, trial_settings=end)
    member.wait_until(MID_FEBRUARY)
    member.call()  # the first after the trial, before Stripe told of its end
    member.hear()
    account = member.account
    assert (account.allotment, account.subscription_status) == (0, status)
    assert account.cycle_end_ms is None
    assert member.call() is Reason.EMPTY_TOPOFF_OFF


def test_an_upgrade_grants_the_difference_at_once(member: Member) -> None:
    member.subscribe()
    member.call()
    member.wait_until(MID_FEBRUARY)
    member.switch(member.customer.pro)
    assert member.allotment == PRO - 1
    member.wait_until(TURN)
    member.call()
    member.hear()
    assert member.allotment == PRO - 1
    member.assert_in_step()


def test_a_downgrade_counts_from_the_next_period_and_undoing_it_grants_nothing(
    member: Member,
) -> None:
    member.subscribe(member.customer.pro)
    member.wait_until(MID_FEBRUARY)
    for price in (member.customer.starter, member.customer.pro, member.customer.starter):
        member.switch(price)
        assert member.allotment == PRO
    member.wait_until(TURN)
    member.hear()
    assert member.allotment == STARTER


def test_a_yearly_price_begins_a_new_period(member: Member) -> None:
    yearly = member.customer.price(99000, "year")
    member.subscribe()
    member.plans = type(member.plans)({**member.plans.allotments, yearly: 3000})
    member.wait_until(MID_FEBRUARY)
    member.switch(yearly)
    assert member.allotment == 3000
    member.assert_in_step()
    member.wait_until(TURN)
    member.call()
    assert member.allotment == 2999


def test_a_new_anchor_is_a_new_period(member: Member) -> None:
    member.subscribe()
    member.call()
    member.wait_until(MID_FEBRUARY)
    member.update(billing_cycle_anchor={"type": "now"})
    assert member.allotment == STARTER
    member.assert_in_step()
    member.wait_until("2027-03-14T09:00")
    member.call()
    member.hear()
    member.assert_in_step()
    assert member.count(EntryType.CYCLE_STARTED) == 2


def test_a_pause_withholds_what_is_left_and_ends_with_a_new_period(member: Member) -> None:
    member.subscribe()
    call = new_call()
    member.call(call)
    member.wait_until(MID_FEBRUARY)
    member.stripe.v1.subscriptions.pause(member.subscription.id)
    member.hear()
    assert (member.allotment, member.account.cycle_end_ms) == (0, None)
    assert member.count(EntryType.ALLOTMENT_WITHHELD) == 1
    assert member.call() is Reason.EMPTY_TOPOFF_OFF
    member.give_back(call)
    member.wait_until("2027-05-01T00:00")
    assert member.allotment == 0  # no period begins meanwhile
    member.stripe.v1.subscriptions.resume(
        member.subscription.id, params={"payment_behavior": "resume_on_payment_success"}
    )
    member.hear()
    assert member.allotment == STARTER
    member.assert_in_step()
    assert member.count(EntryType.ALLOTMENT_RESTORED) == 0


@pytest.mark.parametrize("behavior", ["void", "keep_as_draft", "mark_uncollectible"])
def test_a_pause_of_collection_alone_takes_nothing(member: Member, behavior: str) -> None:
    member.subscribe()
    member.update(pause_collection={"behavior": behavior})
    assert member.allotment == STARTER
    member.wait_until(PAID)
    member.hear()
    assert member.allotment == STARTER
    assert member.count(EntryType.CYCLE_STARTED) == 1


@pytest.mark.parametrize("how", [{"cancel_at_period_end": True}, {"cancel_at": "max_period_end"}])
def test_a_cancellation_at_the_periods_end_lets_nothing_follow(
    member: Member, how: dict[str, object]
) -> None:
    member.subscribe()
    member.wait_until(MID_FEBRUARY)
    member.update(**how)
    assert (member.allotment, member.account.allotment_size) == (STARTER, 0)
    member.wait_until(TURN)
    assert member.call() is Reason.EMPTY_TOPOFF_OFF
    member.hear()
    account = member.account
    assert (account.allotment, account.subscription_status) == (0, "canceled")
    assert account.cycle_end_ms is None
    member.wait_until("2027-06-01T00:00")
    assert member.call() is Reason.EMPTY_TOPOFF_OFF


def test_a_cancellation_undone_grants_nothing_twice(member: Member) -> None:
    member.subscribe()
    member.wait_until(MID_FEBRUARY)
    member.update(cancel_at_period_end=True)
    member.call()
    member.update(cancel_at_period_end=False)
    assert (member.allotment, member.account.allotment_size) == (STARTER - 1, STARTER)
    member.wait_until(TURN)
    member.call()
    assert member.allotment == STARTER - 1


def test_a_cancellation_at_once_withholds_what_is_left(member: Member) -> None:
    member.subscribe()
    member.wait_until(MID_FEBRUARY)
    member.stripe.v1.subscriptions.cancel(member.subscription.id)
    member.hear()
    assert (member.allotment, member.account.subscription_status) == (0, "canceled")


def fall_behind(member: Member) -> None:
    """Let the second period begin, and its payment fail."""
    member.subscribe()
    member.control.set_outcome(member.customer.card, "decline")
    member.wait_until(PAID)
    member.hear()
    assert member.account.subscription_status == "past_due"


def test_what_is_past_due_keeps_its_allotment_until_it_is_unpaid(member: Member) -> None:
    fall_behind(member)
    member.call()
    assert member.allotment == STARTER - 1
    member.control.exhaust_retries(member.subscription.id, "unpaid")
    member.hear()
    assert member.allotment == 0
    member.note_news()
    member.read()
    member.pay()
    assert (member.allotment, member.account.subscription_status) == (STARTER - 1, "active")
    member.note_news()
    member.read()
    assert member.allotment == STARTER - 1
    assert member.count(EntryType.ALLOTMENT_RESTORED) == 1
    member.assert_in_step()


def test_an_upgrade_beside_what_is_restored_counts_too(member: Member) -> None:
    fall_behind(member)
    member.control.exhaust_retries(member.subscription.id, "unpaid")
    member.hear()
    member.switch(member.customer.pro)
    assert member.allotment == 0
    member.pay()
    assert member.allotment == PRO


def test_what_is_past_due_loses_its_allotment_where_the_settings_say_so(
    till: Till, clock: MovableClock
) -> None:
    member = Member(till, clock, past_due_keeps=False)
    fall_behind(member)
    assert member.allotment == 0
    member.pay()
    assert member.allotment == STARTER


def test_a_period_that_passes_unpaid_grants_nothing_until_it_is_paid(member: Member) -> None:
    fall_behind(member)
    member.control.exhaust_retries(member.subscription.id, "unpaid")
    member.hear()
    member.wait_until("2027-03-31T10:00")
    assert member.call() is Reason.EMPTY_TOPOFF_OFF
    member.hear()
    assert member.count(EntryType.CYCLE_STARTED) == 2
    member.pay()
    assert (member.allotment, member.account.subscription_status) == (STARTER, "active")
    assert member.count(EntryType.ALLOTMENT_RESTORED) == 0


@pytest.mark.parametrize("told_by", ["calls", "events"])
def test_the_ends_of_months_are_stripes_own(member: Member, told_by: str) -> None:
    member.subscribe()
    for months, moment in enumerate(
        ["2027-02-28", "2027-03-31", "2027-04-30", "2027-12-31", "2028-02-29", "2028-03-31"], 1
    ):
        member.wait_until(f"{moment}T09:00")
        if told_by == "calls":
            member.call()
            left = STARTER - 1
        else:
            member.hear()
            left = STARTER
        assert member.allotment == left
        member.assert_in_step()
        member.hear()
        assert member.allotment == left
        assert member.count(EntryType.CYCLE_STARTED) == months


def test_periods_that_passed_while_everything_was_off_are_not_made_up_for(member: Member) -> None:
    member.subscribe()
    member.wait_until("2027-07-15T00:00")
    member.call()
    assert (member.allotment, member.count(EntryType.CYCLE_STARTED)) == (STARTER - 1, 1)
    member.hear()
    assert (member.allotment, member.count(EntryType.CYCLE_STARTED)) == (STARTER - 1, 1)
    assert member.account.cycle_start_ms == at("2027-06-30T09:00") * 1000


def test_a_day_that_ends_the_period_early_begins_the_next_one_with_nothing(member: Member) -> None:
    """Stripe may end a period where none does by its anchor; calls must still be decided."""
    member.subscribe()
    terms = member.link()
    early_ms = at("2027-02-10T00:00") * 1000
    cut = type(terms)(
        **{name: getattr(terms, name) for name in terms.__slots__}
        | {"end_ms": early_ms, "next_allotment": 0}
    )
    task = f"subscription:{member.id}"
    mark = member.ledger.owed.note_owed(member.id, task)
    assert member.ledger.subscriptions.set_subscription(member.id, cut, mark=mark)
    member.clock.now_ms = early_ms
    assert member.call() is Reason.EMPTY_TOPOFF_OFF
    assert member.account.cycle_start_ms == early_ms
