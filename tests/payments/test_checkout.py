"""Going to Checkout: what a person pays for, what their card is kept for, and what comes of it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.domain.account import Card, InvalidSettings
from gatekeeper.domain.incident import FailureReason, Resolution
from gatekeeper.domain.notice import PurchaseSucceeded
from gatekeeper.payments.card_news import CardOutcome, follow_card
from gatekeeper.payments.checkout import CheckoutUnavailable, FormUsed, remove_card
from gatekeeper.payments.finishing import CheckoutOutcome
from gatekeeper.sandbox.stripe import pay_checkout
from tests.conftest import MovableClock
from tests.payments.buyers import BOUGHT, SHOP, Buyer
from tests.payments.till import PRICE_MINOR, Till

SESSIONS = "/v1/checkout/sessions"
CUSTOMERS = "/v1/customers"
DECLINED = "4000 0000 0000 0002"
MASTERCARD = "5555 5555 5555 4444"
DAY_S = 24 * 3600


@pytest.fixture
def buyer(till: Till) -> Buyer:
    return Buyer(till)


# Buying


def test_what_was_paid_is_credited_with_its_receipt(buyer: Buyer) -> None:
    visit_id = buyer.bought(card=MASTERCARD)
    buyer.hear()
    buyer.assert_credited_once(visit_id)
    visit = buyer.visit(visit_id)
    assert visit.card_last4 == "4444"
    assert visit.receipt_url.startswith("http://127.0.0.1")
    (task,) = (t for t, _ in buyer.ledger.owed.tasks(0) if t.startswith("email:"))
    notice = buyer.ledger.topoffs.notice(task.rpartition(":")[2])
    assert isinstance(notice, PurchaseSucceeded)
    assert (notice.credits, notice.amount_minor, notice.currency) == (500, 12500, "usd")
    assert (notice.card_last4, notice.balance) == ("4444", 500)
    assert notice.receipt_url == visit.receipt_url


def test_an_account_pays_its_own_price(buyer: Buyer) -> None:
    buyer.ledger.accounts.update_account(buyer.id, price_minor="11")
    visit = buyer.visit(buyer.bought())
    assert visit.amount_minor == BOUGHT * 11
    buyer.hear()
    assert buyer.account.balance == BOUGHT


def test_the_price_that_was_shown_counts(buyer: Buyer) -> None:
    url = buyer.buy()
    buyer.ledger.accounts.update_account(buyer.id, price_minor="99")
    visit_id = buyer.pay(url)
    buyer.hear()
    buyer.assert_credited_once(visit_id)


@pytest.mark.parametrize(
    ("credits", "problem"),
    [
        (0, "whole number"),
        (-5, "whole number"),
        (1_000_001, "whole number"),
        (1, "less or more than a card"),
        (1_000_000, "would be more than an account can hold; 999,990 more fit in"),
    ],
)
def test_what_cannot_be_bought_is_refused(buyer: Buyer, credits: int, problem: str) -> None:
    buyer.ledger.accounts.add_credits(buyer.id, 10, reference="gift", cause="test")
    with pytest.raises(InvalidSettings) as refused:
        buyer.buy(credits)
    assert problem in refused.value.problems["credits"]
    assert buyer.till.control.requests() == []


def test_credits_are_bought_out_of_overdraft(buyer: Buyer) -> None:
    buyer.ledger.client.hset(
        buyer.ledger.keys.of_account(buyer.id).account, mapping={"purchased": -20}
    )
    buyer.bought()
    buyer.hear()
    assert buyer.account.balance == 480


def test_a_declined_card_and_then_another(buyer: Buyer) -> None:
    url = buyer.buy()
    assert pay_checkout(url, card=DECLINED).status == 402
    buyer.hear()
    assert (buyer.account.balance, buyer.emails()) == (0, [])
    visit_id = buyer.pay(url)
    buyer.hear()
    buyer.assert_credited_once(visit_id)


@pytest.mark.parametrize("tried", [False, True])
def test_a_page_that_closes_leaves_nothing(buyer: Buyer, till: Till, tried: bool) -> None:
    url = buyer.buy()
    if tried:
        pay_checkout(url, card=DECLINED)
    (visit_id,) = buyer.owed()
    till.control.expire_checkout(buyer.visit(visit_id).session)
    buyer.hear()
    buyer.assert_nothing_came_of_it()


# Forms


def test_a_form_that_is_sent_twice_begins_one_purchase(buyer: Buyer) -> None:
    with ThreadPoolExecutor(4) as pool:
        patient = buyer.till.patient_client()
        urls = list(pool.map(lambda _: buyer.buy(with_client=patient), range(4)))
    assert len(set(urls)) == 1
    assert len(buyer.owed()) == 1
    visit_id = buyer.pay(urls[0])
    buyer.hear()
    buyer.assert_credited_once(visit_id)
    with pytest.raises(FormUsed):
        buyer.buy()
    assert buyer.owed() == {}


def test_two_tabs_are_two_purchases_of_one_customer(buyer: Buyer) -> None:
    patient = buyer.till.patient_client()
    with ThreadPoolExecutor(2) as pool:
        urls = list(pool.map(lambda tab: buyer.buy(token=tab, with_client=patient), "ab"))
    assert len(set(urls)) == 2
    assert buyer.customers() == 1
    for url in urls:
        buyer.pay(url)
    buyer.hear()
    assert buyer.account.balance == 2 * BOUGHT
    assert buyer.emails() == ["purchase_succeeded"] * 2


def test_a_form_that_was_changed_begins_another_purchase(buyer: Buyer) -> None:
    assert buyer.buy(100) != buyer.buy(200)


def test_a_form_older_than_its_page_is_refused(buyer: Buyer, clock: MovableClock) -> None:
    buyer.buy()
    clock.advance(s=3 * 365 * DAY_S)
    with pytest.raises(FormUsed, match="start again"):
        buyer.buy()


@pytest.mark.parametrize("path", [CUSTOMERS, SESSIONS])
@pytest.mark.parametrize("fault", ["reset", "error_before", "rate_limit", "reset_after"])
def test_without_stripe_nobody_is_sent_anywhere(buyer: Buyer, path: str, fault: str) -> None:
    buyer.till.control.add_fault(fault, path=path, method="POST")
    with pytest.raises(CheckoutUnavailable) as unavailable:
        buyer.buy()
    assert unavailable.value.__cause__ is None
    assert re.fullmatch(r"Our payment provider .* Nothing was .*\.", str(unavailable.value))
    assert (unavailable.value.detail != "", buyer.owed()) == (True, {})
    buyer.pay(buyer.buy(token="another form"))
    buyer.hear()
    assert (buyer.account.balance, buyer.customers()) == (BOUGHT, 1)


def test_a_failure_that_stripe_keeps_does_not_keep_anyone_from_buying(buyer: Buyer) -> None:
    buyer.till.control.add_fault("error_after", path=CUSTOMERS, method="POST")
    with pytest.raises(CheckoutUnavailable):
        buyer.buy()
    buyer.pay(buyer.buy(token="another form"))
    buyer.hear()
    assert buyer.account.balance == BOUGHT


def test_a_customer_that_was_deleted_at_stripe_is_replaced(buyer: Buyer) -> None:
    buyer.pay(buyer.set_up())
    buyer.hear()
    first = buyer.ledger.customers.of_account(buyer.id)
    buyer.till.stripe.v1.customers.delete(first)
    with pytest.raises(CheckoutUnavailable):
        buyer.buy()
    assert buyer.account.card is None
    visit_id = buyer.pay(buyer.buy(token="another form"))
    buyer.hear()
    buyer.assert_credited_once(visit_id)
    assert buyer.ledger.customers.of_account(buyer.id) not in ("", first)


def test_people_come_back_to_the_page_of_their_visit(buyer: Buyer) -> None:
    visit = pay_checkout(buyer.buy())
    (visit_id,) = buyer.owed()
    assert visit.location == f"{SHOP}?checkout={visit_id}"


# Cards


def test_a_card_is_kept_only_where_the_box_is_ticked(buyer: Buyer) -> None:
    buyer.bought()
    buyer.hear()
    assert buyer.account.card is None
    buyer.pay(buyer.buy(token="again"), card=MASTERCARD, save=True)
    buyer.hear()
    card = buyer.account.card
    assert card is not None
    assert (card.brand, card.last4, card.expiry) == ("mastercard", "4444", "12/2034")
    assert card.customer == buyer.ledger.customers.of_account(buyer.id)
    assert card.payment_method == buyer.default_card


def test_a_card_is_set_and_replaced_without_paying(buyer: Buyer) -> None:
    buyer.pay(buyer.set_up())
    buyer.hear()
    assert (buyer.last4, buyer.owed(), buyer.emails()) == ("4242", {}, [])
    buyer.pay(buyer.set_up(token="again"), card=MASTERCARD)
    buyer.hear()
    assert buyer.last4 == "4444"
    assert buyer.account.card is not None
    assert buyer.account.card.payment_method == buyer.default_card
    assert (buyer.account.balance, buyer.purchases(), buyer.customers()) == (0, [], 1)


def test_a_page_for_a_card_that_closes_leaves_nothing(buyer: Buyer, till: Till) -> None:
    buyer.set_up()
    (visit_id,) = buyer.owed()
    till.control.expire_checkout(buyer.visit(visit_id).session)
    buyer.hear()
    buyer.assert_nothing_came_of_it()


@pytest.mark.parametrize("way", ["purchase", "setup"])
def test_a_saved_card_tops_off_at_once_if_need_be(buyer: Buyer, way: str) -> None:
    buyer.switch_on(threshold=600, amount=700)
    failed = buyer.account.topoff_id
    buyer.ledger.topoffs.begin_charge(failed, price_minor=PRICE_MINOR, currency="usd")
    fail_without_card(buyer, failed)
    assert buyer.account.blocked_by == "no_payment_method"
    buyer.pay(buyer.buy() if way == "purchase" else buyer.set_up(), **SAVING[way])
    buyer.hear()
    incident = buyer.ledger.accounts.incident(buyer.id)
    assert incident is not None
    assert incident.resolution is Resolution.CARD_ATTACHED
    assert buyer.account.topoff_id not in ("", failed)


SAVING = {"purchase": {"save": True}, "setup": {}}


def test_a_purchase_with_another_card_leaves_the_incident_open(buyer: Buyer) -> None:
    failed = buyer.switch_on()
    buyer.ledger.topoffs.begin_charge(failed, price_minor=PRICE_MINOR, currency="usd")
    fail_without_card(buyer, failed)
    buyer.bought()
    buyer.hear()
    assert buyer.account.balance == BOUGHT
    assert buyer.account.incident_id == failed


def fail_without_card(buyer: Buyer, topoff_id: str) -> None:
    buyer.ledger.topoffs.fail_topoff(
        topoff_id, payment_intent="", reason=FailureReason.NO_PAYMENT_METHOD
    )


@pytest.mark.parametrize("way", ["purchase", "setup"])
@pytest.mark.parametrize("since", ["another card", "none"])
def test_what_was_chosen_since_a_card_was_saved_stays(
    buyer: Buyer, clock: MovableClock, way: str, since: str
) -> None:
    url = buyer.buy() if way == "purchase" else buyer.set_up()
    visit_id = buyer.pay(url, **SAVING[way])
    clock.advance(s=3 * 365 * DAY_S)  # beyond when, by Stripe's clock, the card was saved
    if since == "none":
        buyer.ledger.accounts.remove_card(buyer.id)
    else:
        another = Card(buyer.visit(visit_id).customer, "pm_2", "visa", "1111", "")
        buyer.ledger.accounts.set_card(buyer.id, another)
    buyer.finish(visit_id)
    buyer.finish(visit_id)
    assert buyer.last4 == ("" if since == "none" else "1111")
    assert buyer.account.balance == (BOUGHT if way == "purchase" else 0)
    assert buyer.default_card is None


def take_away(buyer: Buyer, payment_method: str = "") -> bool:
    """Remove the account's card, or the one that is named."""
    card = buyer.account.card
    meant = payment_method or (card.payment_method if card else "pm_none")
    return remove_card(buyer.id, meant, ledger=buyer.ledger, stripe=buyer.till.stripe)


def test_a_card_that_was_taken_away_does_not_come_back(buyer: Buyer, clock: MovableClock) -> None:
    visit_id = buyer.bought(save=True)
    buyer.hear()
    assert buyer.account.card is not None
    clock.advance(s=60)
    assert take_away(buyer)
    assert (buyer.last4, buyer.default_card) == ("", None)
    assert buyer.finish(visit_id) is CheckoutOutcome.REPEATED
    assert buyer.account.card is None
    assert not take_away(buyer)


def test_a_card_that_stripe_lost_can_be_taken_away(buyer: Buyer) -> None:
    buyer.pay(buyer.set_up())
    buyer.hear()
    assert buyer.account.card is not None
    buyer.till.stripe.v1.payment_methods.detach(buyer.account.card.payment_method)
    assert take_away(buyer)
    assert buyer.account.card is None


def test_without_stripe_no_card_is_taken_away(buyer: Buyer) -> None:
    buyer.pay(buyer.set_up())
    buyer.hear()
    buyer.till.control.add_fault("error_before", path=r"/v1/payment_methods/pm_\w+/detach")
    with pytest.raises(CheckoutUnavailable):
        take_away(buyer)
    assert buyer.last4 == "4242"


def test_a_newer_card_is_not_taken_away_for_the_one_that_was_meant(buyer: Buyer) -> None:
    buyer.pay(buyer.set_up())
    buyer.hear()
    assert buyer.account.card is not None
    old = buyer.account.card.payment_method
    buyer.pay(buyer.set_up(token="again"), card=MASTERCARD)
    buyer.hear()
    assert not take_away(buyer, old)
    new = buyer.account.card
    assert new is not None
    assert new.last4 == "4444"
    attached = buyer.till.stripe.v1.payment_methods.retrieve(new.payment_method)
    assert attached.customer == new.customer


def test_a_card_whose_news_are_faster_than_the_person_is_removed(buyer: Buyer) -> None:
    """Stripe may tell that it was detached before the ledger is told by whom."""
    buyer.pay(buyer.set_up())
    buyer.hear()
    buyer.events()
    buyer.till.control.add_fault("hang_after", path=r"/v1/payment_methods/pm_\w+/detach")
    with ThreadPoolExecutor(1) as pool:
        removal = pool.submit(take_away, buyer)
        assert buyer.till.control.held(count=1, wait_s=10)
        buyer.tell(*buyer.events())
        outcome = follow_card(buyer.id, ledger=buyer.ledger, stripe_api=buyer.till.stripe)
        assert outcome is CardOutcome.REMOVED
        buyer.till.control.release()
        assert removal.result()
    assert buyer.account.card is None
