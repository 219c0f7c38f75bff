"""News of subscriptions: lost, doubled, out of order, at once, or without Stripe's answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.subscription import Plans, SubscriptionUnusable
from gatekeeper.ledger.errors import (
    DrivenBySubscription,
    LedgerRefusal,
    SubscriptionTaken,
    UnknownAccount,
)
from gatekeeper.ledger.subscriptions import CLAIM_S
from gatekeeper.payments.subscriptions import (
    SubscriptionOutcome,
    SubscriptionUnreadable,
    link_subscription,
    read_subscription,
)
from gatekeeper.payments.telling import EventOutcome, apply_event
from tests.conftest import MovableClock
from tests.payments.members import PRO, STARTER, Member, connect_to_nobody, new_call
from tests.payments.till import PRICE_MINOR, Till
from tests.sandbox.stripe.subscribing import MID_FEBRUARY, at

TURN = "2027-02-28T09:00"
RACERS = 50


@pytest.fixture
def member(till: Till, clock: MovableClock) -> Member:
    return Member(till, clock)


def live_a_little(member: Member) -> None:
    """Upgrade, cancel, think better of it, turn, fall behind and pay; nobody listens."""
    change = member.customer
    member.subscribe()
    member.hear()
    member.wait_until(MID_FEBRUARY)
    change.switch(member.subscription, change.pro)
    change.update(member.subscription, cancel_at_period_end=True)
    change.update(member.subscription, cancel_at_period_end=False)
    member.control.set_outcome(change.card, "decline")
    member.wait_until("2027-02-28T10:00")
    member.control.set_outcome(change.card, "succeed")
    member.stripe.v1.invoices.pay(change.invoices(member.subscription)[0].id)


@pytest.mark.parametrize("order", ["in order", "reversed", "doubled", "one by one", "the last"])
def test_events_in_any_order_end_in_what_stripe_says_last(member: Member, order: str) -> None:
    live_a_little(member)
    events = member.events()
    assert len(events) > 10
    told = {"reversed": events[::-1], "doubled": events * 2, "the last": events[-1:]}
    for event in told.get(order, events):
        apply_event(event, member.ledger, price_minor=PRICE_MINOR)
        if order == "one by one":
            member.read_owed()
    member.read_owed()
    assert (member.allotment, member.account.subscription_status) == (PRO, "active")
    assert member.count(EntryType.CYCLE_STARTED) == 1
    member.assert_in_step()


def test_news_that_were_lost_are_caught_up_with_at_the_turn(member: Member) -> None:
    member.subscribe()
    member.wait_until(MID_FEBRUARY)
    member.customer.switch(member.subscription, member.customer.pro)
    member.wait_until(TURN)
    member.call()
    assert member.allotment == STARTER - 1
    assert member.is_owed
    member.read_owed()
    assert member.allotment == PRO - 1
    member.wait_until("2027-03-31T09:00")
    member.ledger.cycles.turn(member.account)
    assert member.is_owed


def test_exactly_one_reset_under_racing_calls_jobs_and_clocks(member: Member) -> None:
    member.subscribe(member.customer.pro)
    old = [new_call() for _ in range(RACERS)]
    for call in old:
        member.call(call)
    member.hear()
    member.wait_until(TURN)

    def race(number: int) -> None:
        if number % 5 == 0:
            member.note_news()
            member.read()
        if number % 3 == 0:
            member.ledger.cycles.turn(member.account)
        member.call()
        member.give_back(old[number])

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(race, range(RACERS)))
    member.read_owed()
    assert member.count(EntryType.CYCLE_STARTED) == 1
    assert member.count(EntryType.ALLOTMENT_RAISED) == 1  # as it was linked
    assert member.count(EntryType.CALL_RELEASED) == RACERS
    assert member.allotment == PRO - RACERS
    member.assert_in_step()


def test_what_was_asked_before_the_news_changes_nothing(member: Member) -> None:
    terms = member.subscribe().link()
    mark = member.ledger.owed.note_owed(member.id, f"subscription:{member.id}")
    member.customer.switch(member.subscription, member.customer.pro)
    member.note_news()
    assert not member.ledger.subscriptions.set_subscription(member.id, terms, mark=mark)
    assert member.is_owed
    assert member.read() is SubscriptionOutcome.APPLIED
    assert member.allotment == PRO
    assert member.read() is SubscriptionOutcome.NOT_OWED


def test_news_that_come_while_an_account_is_linked_are_heeded(member: Member) -> None:
    member.subscription = member.customer.subscribe()
    path = f"/v1/subscriptions/{member.subscription.id}"
    member.events()
    # The first look says whether it can be linked at all; the second is what the account gets.
    member.control.add_fault("hang_after", method="GET", path=path, skip=1)
    with ThreadPoolExecutor(1) as pool:
        linking = pool.submit(member.link)
        assert member.control.held(count=1, wait_s=10)
        member.customer.switch(member.subscription, member.customer.pro)
        for event in member.events():
            apply_event(event, member.ledger, price_minor=PRICE_MINOR)
        member.control.release()
        assert linking.result().allotment == PRO
    assert member.allotment == PRO


def test_news_that_come_while_stripe_is_asked_are_read_by_the_same_job(member: Member) -> None:
    member.subscribe()
    path = f"/v1/subscriptions/{member.subscription.id}"
    asked = len(member.control.requests(path=path))
    member.control.add_fault("hang_before", method="GET", path=path)
    member.note_news()
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(member.read)
        assert member.control.held(count=1, wait_s=10)
        member.customer.switch(member.subscription, member.customer.pro)
        member.note_news()
        member.control.release()
        assert job.result() is SubscriptionOutcome.APPLIED
    assert (member.allotment, member.is_owed) == (PRO, False)
    gets = [each for each in member.control.requests(path=path)[asked:] if each["method"] == "GET"]
    assert len(gets) == 2


@pytest.mark.parametrize("fault", ["reset", "error_before", "bad_json"])
def test_a_stripe_that_does_not_answer_changes_nothing(member: Member, fault: str) -> None:
    member.subscribe()
    member.note_news()
    member.control.add_fault(fault, method="GET", path=r"/v1/subscriptions/sub_\w+")
    with pytest.raises(SubscriptionUnreadable, match=rf"^{member.subscription.id} cannot be read"):
        member.read()
    assert (member.allotment, member.is_owed) == (STARTER, True)
    assert member.read() is SubscriptionOutcome.APPLIED


def test_a_subscription_that_cannot_be_followed_changes_nothing_and_stays_owed(
    member: Member,
) -> None:
    member.subscribe()
    weekly = member.customer.price(900, "week")
    member.customer.switch(member.subscription, weekly)
    member.note_news()
    with pytest.raises(SubscriptionUnusable, match="no price of it is in PLANS"):
        member.read()
    member.plans = Plans({weekly: 10})
    with pytest.raises(SubscriptionUnusable, match="not a month or a year"):
        member.read()
    assert (member.allotment, member.is_owed) == (STARTER, True)
    member.stripe.v1.subscriptions.cancel(member.subscription.id)
    assert member.read() is SubscriptionOutcome.APPLIED  # nothing hinders the end
    assert member.allotment == 0


def test_news_of_a_subscription_that_drives_nobody_are_nothing(member: Member) -> None:
    member.customer.subscribe()
    assert {
        apply_event(event, member.ledger, price_minor=PRICE_MINOR) for event in member.events()
    } == {EventOutcome.IGNORED}


def test_a_job_for_an_account_that_is_not_linked_strikes_itself_off(member: Member) -> None:
    member.note_news()
    assert member.read() is SubscriptionOutcome.NOT_LINKED
    assert not member.is_owed
    member.ledger.owed.note_owed("acct_00000000000x", "subscription:acct_00000000000x")
    outcome = read_subscription(
        "acct_00000000000x",
        ledger=member.ledger,
        stripe_api=connect_to_nobody(),
        plans=member.plans,
    ).outcome
    assert outcome is SubscriptionOutcome.NOT_LINKED


def open_another(member: Member) -> str:
    account_id = new_account_id()
    member.ledger.accounts.open_account(NewAccount(account_id, "Eve", "eve@example.com"))
    return account_id


def test_a_subscription_drives_one_account_alone(member: Member) -> None:
    member.subscribe()
    other = member.ledger.accounts.account(open_another(member))
    with pytest.raises(SubscriptionTaken, match=f"drives {member.id}"):
        link_subscription(
            other,
            member.subscription.id,
            ledger=member.ledger,
            stripe_api=member.stripe,
            plans=member.plans,
        )
    member.subscription = member.customer.subscribe()
    with pytest.raises(DrivenBySubscription):
        member.link()


def test_a_claim_that_nothing_came_of_ends_by_itself(member: Member) -> None:
    subscriptions = member.ledger.subscriptions
    subscriptions.claim("sub_lost", open_another(member))
    with pytest.raises(SubscriptionTaken):
        subscriptions.claim("sub_lost", member.id)
    key = member.ledger.keys.subscription("sub_lost")
    assert 0 < member.ledger.client.ttl(key) <= CLAIM_S
    member.subscribe()
    assert member.ledger.client.ttl(member.ledger.keys.subscription(member.subscription.id)) == -1


def test_a_link_whose_claim_was_not_confirmed_is_confirmed_by_the_job(member: Member) -> None:
    subscription = member.subscribe().subscription.id
    member.ledger.subscriptions.unlink_subscription(member.id, subscription)
    member.link()
    key = member.ledger.keys.subscription(subscription)
    member.ledger.client.expire(key, CLAIM_S)  # as if whoever linked it had died
    assert member.is_owed
    member.read_owed()
    assert member.ledger.client.ttl(key) == -1


def test_a_note_that_got_lost_comes_back_with_the_next_turn(member: Member) -> None:
    member.subscribe()
    member.ledger.client.delete(member.ledger.keys.subscription(member.subscription.id))
    member.wait_until(TURN)
    member.call()
    member.read_owed()
    assert member.ledger.subscriptions.account_of(member.subscription.id) == member.id


def test_a_driven_account_cannot_be_set_and_goes_on_by_itself_once_it_is_unlinked(
    member: Member,
) -> None:
    member.subscribe()
    ledger, account = member.ledger, member.account
    with pytest.raises(DrivenBySubscription, match=member.subscription.id):
        ledger.cycles.set_cycle(
            account.id, allotment=500, anchor_ms=account.anchor_ms, interval=Interval.MONTHLY
        )
    member.call()
    ledger.subscriptions.unlink_subscription(account.id, member.subscription.id)
    assert ledger.subscriptions.account_of(member.subscription.id) is None
    member.stripe.v1.subscriptions.cancel(member.subscription.id)
    member.hear()
    assert (member.allotment, member.account.subscription) == (STARTER - 1, "")
    member.wait_until(TURN)
    member.call()
    assert member.allotment == STARTER - 1
    assert not member.is_owed
    with pytest.raises(LedgerRefusal, match="does not drive"):
        ledger.subscriptions.unlink_subscription(account.id, member.subscription.id)


def test_linking_again_and_again_grants_nothing_twice(member: Member) -> None:
    member.subscribe()
    for _ in range(3):
        member.call()
        member.ledger.subscriptions.unlink_subscription(member.id, member.subscription.id)
        member.link()
    assert member.allotment == STARTER - 3
    assert audit_ledger(member.ledger) == []


def test_an_account_unlinked_after_its_end_begins_anew_with_what_it_is_given(
    member: Member,
) -> None:
    member.subscribe()
    member.stripe.v1.subscriptions.cancel(member.subscription.id)
    member.hear()
    member.wait_until("2027-06-01T00:00")
    member.ledger.subscriptions.unlink_subscription(member.id, member.subscription.id)
    member.ledger.cycles.set_cycle(
        member.id, allotment=STARTER, anchor_ms=member.clock(), interval=Interval.MONTHLY
    )
    assert member.allotment == STARTER
    assert member.account.cycle_end_ms == at("2027-07-01T00:00") * 1000


def test_an_account_that_is_not_there_is_not_linked(member: Member) -> None:
    terms = member.subscribe().link()
    with pytest.raises(UnknownAccount):
        member.ledger.subscriptions.set_subscription(new_account_id(), terms, mark=1)
