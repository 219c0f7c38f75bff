"""What becomes of a saved card at Stripe: detached, reissued, or gone with its customer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.domain.account import Card, NewAccount, new_account_id
from gatekeeper.domain.incident import FailureReason
from gatekeeper.jobs import card_task
from gatekeeper.payments.card_news import CardOutcome, CardUnreadable, follow_card
from gatekeeper.payments.charging import ChargeOutcome
from gatekeeper.payments.events import StripeEvent
from gatekeeper.payments.telling import EventOutcome, apply_event
from tests.conftest import MovableClock
from tests.payments.buyers import Buyer
from tests.payments.till import PRICE_MINOR, Debtor, Till

MASTERCARD = "5555 5555 5555 4444"


class Holder(Buyer):
    """A buyer with a saved card, and the job that follows it."""

    def __init__(self, till: Till) -> None:
        super().__init__(till)
        self.save("form")
        self.events()

    def save(self, token: str, **typed: str) -> Card:
        """Save a card at Checkout; returns it."""
        self.pay(self.set_up(token=token), **typed)
        self.hear()
        return self.card

    @property
    def card(self) -> Card:
        assert self.account.card is not None
        return self.account.card

    @property
    def is_owed(self) -> bool:
        return self.ledger.owed.is_owed(self.id, card_task(self.id))

    def follow(self) -> CardOutcome:
        return follow_card(self.id, ledger=self.ledger, stripe_api=self.till.stripe)

    def hear_of_the_card(self) -> CardOutcome:
        """Tell the ledger all there is, and do what it owes."""
        self.tell(*self.events())
        return self.follow()

    def detach(self, payment_method: str = "") -> None:
        self.till.stripe.v1.payment_methods.detach(payment_method or self.card.payment_method)

    def reissue(self, year: int, last4: str | None = None) -> None:
        method = self.card.payment_method
        self.till.control.reissue_card(method, exp_month=7, exp_year=year, last4=last4)

    def delete_customer(self) -> None:
        self.till.stripe.v1.customers.delete(self.card.customer)


@pytest.fixture
def holder(till: Till) -> Holder:
    return Holder(till)


def test_a_card_that_was_detached_elsewhere_is_taken_away(holder: Holder) -> None:
    holder.switch_on()
    holder.detach()
    outcomes = holder.tell(*holder.events("payment_method."))
    assert outcomes == [EventOutcome.OWED]
    assert holder.card.last4 == "4242"  # an event changes nothing by itself
    assert holder.follow() is CardOutcome.REMOVED
    assert (holder.account.card, holder.is_owed) == (None, False)
    assert holder.account.topoff.enabled


def test_the_next_attempt_finds_no_payment_method(till: Till) -> None:
    """R8: the first of the three reasons, at the next attempt and not before."""
    debtor = till.debtor()
    till.charge(debtor)
    till.stripe.v1.payment_methods.detach(debtor.card.payment_method)
    tell_all(till)
    assert read(till, debtor) is CardOutcome.REMOVED
    assert till.incident(debtor) is None
    till.ledger.accounts.remove_credits(debtor.account_id, 160, reference="used", cause="test")
    till.switch(debtor.account_id, on=True)
    again = Debtor(debtor.account_id, till.account(debtor).topoff_id, debtor.card)
    assert till.charge(again).outcome is ChargeOutcome.NO_PAYMENT_METHOD
    incident = till.incident(debtor)
    assert incident is not None
    assert incident.reason is FailureReason.NO_PAYMENT_METHOD


def tell_all(till: Till) -> None:
    for event in till.stripe.v1.events.list({"limit": 100}).data:
        apply_event(StripeEvent.read(event.to_dict()), till.ledger, price_minor=PRICE_MINOR)


def read(till: Till, debtor: Debtor) -> CardOutcome:
    return follow_card(debtor.account_id, ledger=till.ledger, stripe_api=till.stripe)


def test_news_of_an_older_card_leave_the_newer_one(holder: Holder) -> None:
    old = holder.card
    new = holder.save("again", card=MASTERCARD)
    holder.events()
    holder.detach(old.payment_method)
    assert holder.hear_of_the_card() is CardOutcome.SAME
    assert holder.card == new


def test_a_card_saved_before_the_old_one_is_known_to_be_gone_is_kept(
    holder: Holder, clock: MovableClock
) -> None:
    clock.advance(s=60)
    holder.detach()
    holder.pay(holder.set_up(token="again"), card=MASTERCARD)
    clock.advance(s=3 * 365 * 86_400)  # later than Stripe says that the new card was saved
    events = holder.events()
    holder.tell(*(event for event in events if event.type.startswith("payment_method.")))
    assert holder.follow() is CardOutcome.REMOVED
    holder.tell(*events)
    holder.work()
    assert holder.last4 == "4444"


def test_a_card_that_was_detached_as_it_was_saved_does_not_stay(holder: Holder, till: Till) -> None:
    """The news of it come before the ledger has the card: the card's own job looks once more."""
    visit_id = holder.pay(holder.set_up(token="again"), card=MASTERCARD)
    till.control.add_fault("hang_before", method="POST", path=r"/v1/customers/cus_\w+")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(holder.finish, visit_id)
        assert till.control.held(count=1, wait_s=10)
        holder.detach()
        holder.ledger.owed.strike_owed(holder.id, card_task(holder.id))
        till.control.release()
        job.result()
    assert holder.is_owed
    assert holder.follow() is CardOutcome.REMOVED


@pytest.mark.parametrize("last4", [None, "1881"])
def test_a_reissued_card_is_the_same_card(holder: Holder, last4: str | None) -> None:
    before = holder.card
    holder.reissue(2041, last4)
    assert holder.hear_of_the_card() is CardOutcome.UPDATED
    assert (holder.card.last4, holder.card.expiry) == (last4 or "4242", "07/2041")
    assert holder.card.payment_method == before.payment_method
    assert holder.hear_of_the_card() is CardOutcome.NOT_OWED


def test_a_reissued_card_may_have_another_number_alone(holder: Holder) -> None:
    month, year = map(int, holder.card.expiry.split("/"))
    method = holder.card.payment_method
    holder.till.control.reissue_card(method, exp_month=month, exp_year=year, last4="1881")
    assert holder.hear_of_the_card() is CardOutcome.UPDATED
    assert (holder.card.last4, holder.card.expiry) == ("1881", f"{month:02d}/{year}")


def test_a_card_that_somebody_changed_at_stripe(holder: Holder, till: Till) -> None:
    till.stripe.v1.payment_methods.update(
        holder.card.payment_method, {"card": {"exp_month": 2, "exp_year": 2037}}
    )
    assert holder.hear_of_the_card() is CardOutcome.UPDATED
    assert holder.card.expiry == "02/2037"


def test_a_reissued_card_may_be_tried_again_but_is_not_by_itself(till: Till) -> None:
    """What an issuer said for good, it said of the number and expiry that were."""
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "expired_card"})
    till.charge(debtor)
    till.stripe.v1.payment_methods.update(
        debtor.card.payment_method, {"billing_details": {"name": "Ada"}}
    )
    tell_all(till)
    read(till, debtor)  # the till wrote down another expiry than Stripe has
    refuse(till, debtor)
    tell_all(till)
    assert read(till, debtor) is CardOutcome.SAME
    assert refused_code(till, debtor) == "expired_card"

    till.control.reissue_card(debtor.card.payment_method, exp_month=7, exp_year=2041)
    till.control.set_outcome(debtor.card.payment_method, "succeed")
    tell_all(till)
    assert read(till, debtor) is CardOutcome.UPDATED
    account = till.account(debtor)
    assert (account.blocked_by, account.topoff_id) == (FailureReason.DECLINED, "")
    assert (refused_code(till, debtor), account.retry_at_ms) == ("", None)

    till.ledger.topoffs.request_topoff(debtor.account_id, account.incident_id)
    retried = Debtor(debtor.account_id, till.account(debtor).topoff_id, debtor.card)
    assert till.charge(retried).outcome is ChargeOutcome.SUCCEEDED
    assert till.account(debtor).blocked_by is None


def refuse(till: Till, debtor: Debtor) -> None:
    """Let a retry be refused for good."""
    incident_id = till.account(debtor).incident_id
    till.ledger.topoffs.request_topoff(debtor.account_id, incident_id)
    till.charge(Debtor(debtor.account_id, till.account(debtor).topoff_id, debtor.card))


def refused_code(till: Till, debtor: Debtor) -> str:
    card = till.account(debtor).card
    assert card is not None
    return card.refused_code


@pytest.mark.parametrize("then", ["nothing", "reissued"])
def test_a_deleted_customer_takes_the_card_along(holder: Holder, then: str) -> None:
    deleted = holder.card.customer
    if then == "reissued":  # as Stripe goes on to tell of them
        method = holder.card.payment_method
        holder.delete_customer()
        holder.till.control.reissue_card(method, exp_month=1, exp_year=2041)
    else:
        holder.delete_customer()
    assert holder.hear_of_the_card() is CardOutcome.CUSTOMER_DELETED
    assert holder.account.card is None
    assert holder.ledger.customers.of_account(holder.id) == ""
    assert holder.ledger.customers.before(holder.id) == deleted
    assert holder.save("again", card=MASTERCARD).last4 == "4444"


def test_a_deleted_customer_that_had_no_card_is_forgotten(till: Till) -> None:
    buyer = Buyer(till)
    buyer.set_up()  # makes the customer
    deleted = buyer.ledger.customers.of_account(buyer.id)
    till.stripe.v1.customers.delete(deleted)
    buyer.tell(*buyer.events("customer."))
    outcome = follow_card(buyer.id, ledger=buyer.ledger, stripe_api=till.stripe)
    assert outcome is CardOutcome.CUSTOMER_DELETED
    assert buyer.ledger.customers.of_account(buyer.id) == ""


@pytest.mark.parametrize("last", ["detached", "reissued", "deleted"])
@pytest.mark.parametrize("order", ["in order", "reversed", "doubled", "one by one", "the last"])
def test_events_in_any_order_end_in_what_stripe_says_last(
    holder: Holder, order: str, last: str
) -> None:
    for year in (2040, 2041):
        holder.reissue(year)
    if last == "detached":
        holder.detach()
    elif last == "deleted":
        holder.delete_customer()
    events = [event for event in holder.events() if event.about is not None]
    told = {"reversed": events[::-1], "doubled": events * 2, "the last": events[-1:]}
    for event in told.get(order, events):
        holder.tell(event)
        if order == "one by one":
            holder.follow()
    holder.follow()
    if last == "reissued":
        assert holder.card.expiry == "07/2041"
    else:
        assert holder.account.card is None
    assert not holder.is_owed


def test_what_was_read_before_the_news_is_not_written(holder: Holder, till: Till) -> None:
    """A job that is slow to write must not undo what a later one wrote."""
    path = f"/v1/payment_methods/{holder.card.payment_method}"
    holder.reissue(2040)
    holder.tell(*holder.events())
    till.control.add_fault("hang_after", method="GET", path=path)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(holder.follow)
        assert till.control.held(count=1, wait_s=10)
        holder.reissue(2041)
        assert holder.hear_of_the_card() is CardOutcome.UPDATED
        till.control.release()
        assert slow.result() is CardOutcome.SUPERSEDED
    assert holder.card.expiry == "07/2041"


def test_news_that_come_while_stripe_is_asked_are_still_owed(holder: Holder, till: Till) -> None:
    path = f"/v1/payment_methods/{holder.card.payment_method}"
    holder.reissue(2040)
    holder.tell(*holder.events())
    till.control.add_fault("hang_after", method="GET", path=path)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(holder.follow)
        assert till.control.held(count=1, wait_s=10)
        holder.detach()
        holder.tell(*holder.events())
        till.control.release()
        assert job.result() is CardOutcome.SUPERSEDED
    assert holder.follow() is CardOutcome.REMOVED


def test_a_card_saved_while_the_old_one_is_asked_about_is_kept(holder: Holder, till: Till) -> None:
    """Without any news of it: what was asked about is another card than the account's by now."""
    old, new = holder.card, Card(holder.card.customer, "pm_new", "visa", "1881", "01/2032")
    holder.detach()
    holder.tell(*holder.events())
    till.control.add_fault(
        "hang_after", method="GET", path=f"/v1/payment_methods/{old.payment_method}"
    )
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(holder.follow)
        assert till.control.held(count=1, wait_s=10)
        holder.ledger.accounts.set_card(holder.id, new)
        till.control.release()
        assert job.result() is CardOutcome.NO_CARD
    assert (holder.card, holder.is_owed) == (new, False)


def test_only_the_news_that_were_read_are_struck_off(holder: Holder, till: Till) -> None:
    """Those that came after Stripe was asked are owed, also where nothing was written."""
    holder.ledger.accounts.set_card(holder.id, Card("cus_live", "pm_live", "visa", "1111", ""))
    holder.ledger.owed.note_owed(holder.id, card_task(holder.id))
    till.control.add_fault("hang_after", method="GET", path="/v1/customers/cus_live")
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(holder.follow)
        assert till.control.held(count=1, wait_s=10)
        holder.ledger.owed.note_owed(holder.id, card_task(holder.id))
        till.control.release()
        assert job.result() is CardOutcome.NOT_AT_STRIPE
    assert holder.is_owed


@pytest.mark.parametrize("path", ["/v1/customers/cus_\\w+", "/v1/payment_methods/pm_\\w+"])
def test_a_request_that_stripe_refuses_says_nothing_of_the_card(
    holder: Holder, till: Till, path: str
) -> None:
    """It is not the 404 of a customer or card that is not there."""
    holder.tell(*holder.events())
    holder.ledger.owed.note_owed(holder.id, card_task(holder.id))
    till.control.add_fault("error_before", method="GET", path=path, status=400)
    with pytest.raises(CardUnreadable, match=r"^the card of acct_\w+ cannot be read: "):
        holder.follow()
    assert (holder.last4, holder.is_owed) == ("4242", True)


@pytest.mark.parametrize("path", ["/v1/customers/cus_\\w+", "/v1/payment_methods/pm_\\w+"])
def test_without_stripe_nothing_changes_and_it_stays_owed(
    holder: Holder, till: Till, path: str
) -> None:
    holder.detach()
    holder.tell(*holder.events())
    till.control.add_fault("error_before", method="GET", path=path)
    with pytest.raises(CardUnreadable, match=r"^the card of acct_\w+ cannot be read: "):
        holder.follow()
    assert (holder.last4, holder.is_owed) == ("4242", True)
    assert holder.follow() is CardOutcome.REMOVED


def test_a_card_that_stripe_does_not_know_any_more_is_gone(holder: Holder) -> None:
    """Stripe keeps payment methods, but not the cards that came before them.

    https://github.com/dj-stripe/dj-stripe/issues/967
    """
    lost = Card(holder.card.customer, "card_lost", "visa", "1111", "")
    holder.ledger.accounts.set_card(holder.id, lost)
    holder.ledger.owed.note_owed(holder.id, card_task(holder.id))
    assert holder.follow() is CardOutcome.REMOVED


def test_a_customer_whom_our_key_does_not_know_is_not_deleted(holder: Holder) -> None:
    holder.ledger.accounts.set_card(holder.id, Card("cus_live", "pm_live", "visa", "1111", ""))
    holder.ledger.owed.note_owed(holder.id, card_task(holder.id))
    outcome = holder.follow()
    assert outcome is CardOutcome.NOT_AT_STRIPE
    assert outcome.needs_a_person
    assert (holder.last4, holder.is_owed) == ("1111", False)


def test_a_card_of_two_accounts_is_taken_from_both(holder: Holder) -> None:
    second = new_account_id()
    holder.ledger.accounts.open_account(NewAccount(second, "Bea", "bea@example.com"))
    holder.ledger.accounts.set_card(second, holder.card)
    holder.detach()
    holder.tell(*holder.events())
    for account_id in (holder.id, second):
        follow_card(account_id, ledger=holder.ledger, stripe_api=holder.till.stripe)
        assert holder.ledger.accounts.account(account_id).card is None


def test_other_peoples_customers_are_nothing_to_us(holder: Holder, till: Till) -> None:
    made = till.control.create_customer(card="4242424242424242")
    method, customer = made["payment_method"]["id"], made["customer"]["id"]
    till.control.reissue_card(method, exp_month=1, exp_year=2041)
    till.stripe.v1.payment_methods.detach(method)
    till.stripe.v1.customers.delete(customer)
    assert set(holder.tell(*holder.events())) == {EventOutcome.IGNORED}
    assert not holder.is_owed


def test_an_account_without_a_card_has_nothing_to_follow(holder: Holder) -> None:
    holder.ledger.accounts.remove_card(holder.id)
    holder.ledger.owed.note_owed(holder.id, card_task(holder.id))
    assert holder.follow() is CardOutcome.NO_CARD
    nobody = new_account_id()
    holder.ledger.owed.note_owed(nobody, card_task(nobody))
    followed = follow_card(nobody, ledger=holder.ledger, stripe_api=holder.till.stripe)
    assert followed is CardOutcome.NO_CARD
    assert not holder.ledger.owed.is_owed(nobody, card_task(nobody))


@pytest.mark.parametrize("before", [None, {}, [], {"customer": None}])
def test_a_detached_card_that_was_nobodys_is_nothing_to_us(till: Till, before: object) -> None:
    event = {
        "object": "event",
        "id": "evt_1",
        "type": "payment_method.detached",
        "data": {"object": {"id": "pm_1", "customer": None}, "previous_attributes": before},
    }
    assert (
        apply_event(StripeEvent.read(event), till.ledger, price_minor=PRICE_MINOR)
        is EventOutcome.IGNORED
    )
