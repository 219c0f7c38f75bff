"""News of visits to Checkout: lost, doubled, out of order, forged, or cut off midway."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import RedisError

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account import Card
from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.domain.incident import FailureReason, Resolution
from gatekeeper.ledger.client import connect as connect_redis
from gatekeeper.ledger.errors import PaymentMismatch
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.scripts import load_sources
from gatekeeper.payments.checkout_sessions import CheckoutUnreadable
from gatekeeper.payments.corrections import correct_payment
from gatekeeper.payments.finishing import CheckoutOutcome
from gatekeeper.payments.telling import EventOutcome
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import MovableClock
from tests.e2e.pausing_proxy import Fate, PausingProxy, When
from tests.payments.buyers import BOUGHT, PAID_MINOR, Buyer
from tests.payments.till import PRICE_MINOR, Till

SUCCEEDED = "payment_intent.succeeded"
COMPLETED = "checkout.session.completed"
SESSION = r"/v1/checkout/sessions/cs_\w+"
CUSTOMER = r"/v1/customers/cus_\w+"
FORGED = ({"credits": "1e9"}, {"credits": ""}, {"credits": "0"}, {"amount_minor": "1"})


@pytest.fixture
def buyer(till: Till) -> Buyer:
    return Buyer(till)


def forget(buyer: Buyer, visit_id: str) -> None:
    """Let the record of a visit, and what is owed for it, be lost."""
    buyer.ledger.checkouts.forget(visit_id)
    buyer.ledger.owed.strike_owed(buyer.id, f"checkout:{visit_id}")


@pytest.mark.parametrize("order", ["in order", "reversed", "doubled", "one by one"])
def test_events_in_any_order_credit_once(buyer: Buyer, order: str) -> None:
    visit_id = buyer.bought(save=True)
    events = buyer.events()
    told = {"reversed": events[::-1], "doubled": events * 2}.get(order, events)
    for event in told:
        buyer.tell(event)
        if order == "one by one":
            buyer.work()
    buyer.work()
    buyer.assert_credited_once(visit_id)
    assert buyer.last4 == "4242"
    assert set(buyer.tell(*buyer.events(), *events)) <= {
        EventOutcome.REPEATED,
        EventOutcome.IGNORED,
    }
    assert buyer.owed() == {}
    assert audit_ledger(buyer.ledger) == []


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("event_type", [SUCCEEDED, COMPLETED])
def test_one_event_is_enough_even_where_the_start_is_lost(
    buyer: Buyer, event_type: str, kept: bool
) -> None:
    visit_id = buyer.bought(save=True)
    if not kept:
        forget(buyer, visit_id)
    assert buyer.tell(*buyer.events(event_type)) == [EventOutcome.OWED]
    assert buyer.work() == [CheckoutOutcome.CREDITED]
    buyer.assert_credited_once(visit_id)
    assert (buyer.last4, buyer.visit(visit_id).card_last4) == ("4242", "4242")


def test_a_card_is_saved_even_where_the_start_is_lost(buyer: Buyer) -> None:
    forget(buyer, buyer.pay(buyer.set_up()))
    assert buyer.tell(*buyer.events(COMPLETED)) == [EventOutcome.OWED]
    buyer.work()
    assert (buyer.last4, buyer.owed()) == ("4242", {})


def test_what_is_paid_is_found_without_any_event(buyer: Buyer, clock: MovableClock) -> None:
    url = buyer.buy()
    (visit_id,) = buyer.owed()
    looks_at_min, began_ms = [], clock()
    for _ in range(4):
        clock.now_ms = buyer.owed()[visit_id]
        looks_at_min.append((clock() - began_ms) / 60_000)
        assert buyer.work() == [CheckoutOutcome.WAITING]
    assert looks_at_min == [10, 21, 43, 87]
    buyer.pay(url)
    clock.now_ms = buyer.owed()[visit_id]
    buyer.work()
    buyer.assert_credited_once(visit_id)


def test_a_look_after_its_page_has_closed_ends_a_visit(buyer: Buyer, till: Till) -> None:
    buyer.buy()
    (visit_id,) = buyer.owed()
    till.control.expire_checkout(buyer.visit(visit_id).session)
    assert buyer.finish(visit_id) is CheckoutOutcome.CAME_TO_NOTHING
    buyer.assert_nothing_came_of_it()
    assert buyer.finish(visit_id) is CheckoutOutcome.UNKNOWN


def test_the_last_look_is_when_the_page_has_closed(buyer: Buyer, clock: MovableClock) -> None:
    buyer.buy()
    (visit_id,) = buyer.owed()
    session = buyer.till.stripe.v1.checkout.sessions.retrieve(buyer.visit(visit_id).session)
    closes_ms = session.expires_at * 1000
    clock.now_ms = closes_ms - 5000
    buyer.work()
    assert buyer.owed()[visit_id] == closes_ms + 60_000


def test_a_payment_that_is_on_its_way_is_waited_for(buyer: Buyer, till: Till) -> None:
    visit_id = f"{buyer.id}-0123456789ab"
    slow = till.control.create_customer(card="4242424242424242", outcome={"outcome": "processing"})
    pending = pay_aside(till, slow, buyer.id, visit_id)
    buyer.ledger.checkouts.note_checkout(visit_id, CheckoutMode.PAYMENT, payment_intent=pending)
    assert buyer.work() == [CheckoutOutcome.WAITING]
    assert (list(buyer.owed()), buyer.due(), buyer.account.balance) == ([visit_id], [], 0)
    till.control.settle_payment(pending, "succeed")
    buyer.hear()
    assert (buyer.account.balance, buyer.owed()) == (BOUGHT, {})


def pay_aside(
    till: Till, customer: dict[str, Any], account_id: str, visit_id: str, **metadata: str
) -> str:
    """Charge a customer's card for a purchase, without Checkout."""
    return till.stripe.v1.payment_intents.create(
        {
            "amount": PAID_MINOR,
            "currency": "usd",
            "customer": customer["customer"]["id"],
            "payment_method": customer["payment_method"]["id"],
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": {
                "account": account_id,
                "purchase": visit_id,
                "credits": str(BOUGHT),
                "amount_minor": str(PAID_MINOR),
                **metadata,
            },
        }
    ).id


def test_paying_with_the_accounts_card_resolves_the_incident(buyer: Buyer, till: Till) -> None:
    made = till.control.create_customer(card="4242424242424242")
    card = Card(made["customer"]["id"], made["payment_method"]["id"], "visa", "4242", "")
    buyer.ledger.accounts.set_card(buyer.id, card)
    failed = buyer.switch_on()
    buyer.ledger.topoffs.begin_charge(failed, price_minor=PRICE_MINOR, currency="usd")
    buyer.ledger.topoffs.fail_topoff(
        failed, payment_intent="", reason=FailureReason.DECLINED, card_refused=True
    )
    visit_id = f"{buyer.id}-0123456789ab"
    pay_aside(till, made, buyer.id, visit_id)
    buyer.hear()
    incident = buyer.ledger.accounts.incident(buyer.id)
    assert incident is not None
    assert incident.resolution is Resolution.PURCHASE_SUCCEEDED
    assert (buyer.account.balance, buyer.account.blocked_by) == (BOUGHT, None)
    assert buyer.account.card is not None
    assert buyer.account.card.refused_code == ""
    assert buyer.account.topoff_id == ""


@pytest.mark.parametrize("field", ["credits", "amount_minor", "currency", "customer"])
def test_money_that_is_not_what_was_asked_for_is_not_credited(buyer: Buyer, field: str) -> None:
    visit_id = buyer.bought()
    key = buyer.ledger.keys.of_account(buyer.id).checkout(visit_id)
    buyer.ledger.client.hset(key, field, "1" if field in ("credits", "amount_minor") else "eur")
    assert_refused(buyer, visit_id)


@pytest.mark.parametrize(
    ("forged", "kept"),
    [
        ({"credits": "50000"}, True),  # without the record nothing else says what was bought
        *((forged, kept) for forged in FORGED for kept in (True, False)),
    ],
    ids=str,
)
def test_metadata_that_was_changed_at_stripe_is_not_believed(
    buyer: Buyer, forged: dict[str, str], kept: bool
) -> None:
    visit_id = buyer.bought()
    if not kept:
        forget(buyer, visit_id)
    (event,) = buyer.events(SUCCEEDED)
    buyer.tell(event)
    payment_intent = event.facts["payment_intent"]
    buyer.till.stripe.v1.payment_intents.update(payment_intent, {"metadata": forged})
    assert_refused(buyer, visit_id)


def assert_refused(buyer: Buyer, visit_id: str) -> None:
    """Assert that nothing is credited, and that on-call will see it."""
    with pytest.raises(PaymentMismatch):
        buyer.finish(visit_id)
    assert (buyer.account.balance, buyer.purchases(), buyer.emails()) == (0, [], [])
    assert list(buyer.owed()) == [visit_id]


def test_another_customers_payment_is_not_credited(buyer: Buyer, till: Till) -> None:
    buyer.buy()
    stranger = till.control.create_customer(card="4242424242424242")
    visit_id = f"{buyer.id}-0123456789ab"
    pay_aside(till, stranger, buyer.id, visit_id)
    buyer.tell(*buyer.events(SUCCEEDED))
    with pytest.raises(PaymentMismatch):
        buyer.finish(visit_id)
    assert buyer.account.balance == 0


def test_a_purchase_for_nobody_here_is_told_to_on_call(buyer: Buyer, till: Till) -> None:
    made = till.control.create_customer(card="4242424242424242")
    pay_aside(till, made, "acct_00000000000z", "acct_00000000000z-0123456789ab")
    assert buyer.tell(*buyer.events(SUCCEEDED)) == [EventOutcome.UNKNOWN_ACCOUNT]


@pytest.mark.parametrize(
    "metadata",
    [{"purchase": "x"}, {"account": "acct_00000000000z"}, {"purchase": "Müller"}],
    ids=str,
)
def test_what_another_product_sells_is_nothing_to_us(
    buyer: Buyer, till: Till, metadata: dict[str, str]
) -> None:
    made = till.control.create_customer(card="4242424242424242")
    pay_aside(till, made, buyer.id, f"{buyer.id}-0123456789ab", **metadata)
    assert buyer.tell(*buyer.events(SUCCEEDED)) == [EventOutcome.IGNORED]
    assert buyer.owed() == {}


@pytest.mark.parametrize("way", ["purchase", "setup"])
def test_eight_jobs_at_once_do_it_once(buyer: Buyer, way: str) -> None:
    visit_id = buyer.bought(save=True) if way == "purchase" else buyer.pay(buyer.set_up())
    buyer.tell(*buyer.events())
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(buyer.finish, visit_id) for _ in range(8)]
        outcomes = sorted(run.result() for run in runs)
    done = CheckoutOutcome.CREDITED if way == "purchase" else CheckoutOutcome.CARD_ATTACHED
    assert outcomes == sorted([done, *[CheckoutOutcome.REPEATED] * 7])
    assert buyer.last4 == "4242"
    if way == "purchase":
        buyer.assert_credited_once(visit_id)


@pytest.mark.parametrize("path", [SESSION, CUSTOMER])
@pytest.mark.parametrize("fault", ["reset", "error_before", "rate_limit", "reset_after"])
def test_while_stripe_is_away_the_work_stays_owed(buyer: Buyer, path: str, fault: str) -> None:
    visit_id = buyer.bought(save=True)
    buyer.tell(*buyer.events())
    method = "GET" if path is SESSION else "POST"
    buyer.till.control.add_fault(fault, path=path, method=method)
    with pytest.raises(CheckoutUnreadable) as raised:
        buyer.finish(visit_id)
    assert raised.value.__cause__ is None
    assert "An error" not in str(raised.value)
    assert list(buyer.owed()) == [visit_id]
    buyer.work()
    buyer.assert_credited_once(visit_id)
    assert buyer.account.card is not None
    assert buyer.default_card == buyer.account.card.payment_method


def test_news_that_come_while_the_job_runs_are_not_lost(buyer: Buyer, till: Till) -> None:
    url = buyer.buy()
    (visit_id,) = buyer.owed()
    till.control.add_fault("hang_after", path=SESSION, method="GET")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(buyer.finish, visit_id)
        assert till.control.held(count=1, wait_s=10)
        buyer.pay(url)
        buyer.tell(*buyer.events())
        till.control.release()
        assert running.result() is CheckoutOutcome.WAITING
    assert buyer.due() == [visit_id]
    buyer.work()
    buyer.assert_credited_once(visit_id)


@pytest.fixture
def proxy(valkey: EmbeddedValkey, ledger: Ledger) -> Iterator[PausingProxy]:
    for source in load_sources().values():
        ledger.client.script_load(source)
    with PausingProxy(valkey.port) as proxy:
        yield proxy


@pytest.mark.parametrize("verb", ["credit_purchase", "strike_owed"])
@pytest.mark.parametrize("when", When)
def test_a_job_that_loses_the_ledger_midway_is_taken_up_again(
    buyer: Buyer, proxy: PausingProxy, verb: str, when: When
) -> None:
    client = connect_redis(proxy.url, timeout_s=10, max_connections=2)
    visit_id = buyer.bought(save=True)
    buyer.tell(*buyer.events())
    hold = proxy.hold(verb, when)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(buyer.finish, visit_id, Ledger(client, clock=buyer.till.clock))
        assert hold.held.wait(10)
        hold.end(Fate.LOST)
        with pytest.raises(RedisError):
            running.result()
    client.close()
    buyer.work()
    buyer.assert_credited_once(visit_id)
    assert buyer.account.card is not None
    assert buyer.default_card == buyer.account.card.payment_method


# Money that goes back (R13)


@pytest.mark.parametrize("credited", [True, False])
def test_a_refund_takes_credits_back(buyer: Buyer, credited: bool) -> None:
    visit_id = buyer.bought()
    (event,) = buyer.events(SUCCEEDED)
    if credited:
        buyer.tell(event)
        buyer.work()
    payment_intent = event.facts["payment_intent"]
    for _ in range(2):
        buyer.till.stripe.v1.refunds.create({"payment_intent": payment_intent, "amount": 2500})
        run = correct_payment(
            payment_intent,
            ledger=buyer.ledger,
            stripe=buyer.till.stripe,
            price_minor=PRICE_MINOR,
        )
        assert (run.outcome, run.credits, run.account) == ("clawed_back", -100, buyer.id)
    buyer.tell(*buyer.events(), event)
    buyer.finish(visit_id)
    assert buyer.account.balance == BOUGHT - 200
    assert len(buyer.purchases()) == 1


def test_a_refund_of_a_purchase_that_is_no_longer_kept_is_told_to_on_call(buyer: Buyer) -> None:
    visit_id = buyer.bought()
    buyer.hear()
    payment_intent = buyer.visit(visit_id).payment_intent
    buyer.ledger.checkouts.forget(visit_id)
    buyer.till.stripe.v1.refunds.create({"payment_intent": payment_intent, "amount": 2500})
    run = correct_payment(
        payment_intent,
        ledger=buyer.ledger,
        stripe=buyer.till.stripe,
        price_minor=PRICE_MINOR,
    )
    assert (run.outcome, run.reference) == ("unknown_purchase", visit_id)
    assert buyer.account.balance == BOUGHT
