"""Refunds and disputes at Stripe, and what they do to credits here (R13)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from redis import RedisError
from stripe.params import RefundCreateParams

from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.jobs import correction_task
from gatekeeper.ledger.client import connect as connect_redis
from gatekeeper.ledger.errors import PaymentMismatch
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.scripts import load_sources
from gatekeeper.payments.charging import ChargeOutcome, OutcomeUnknown
from gatekeeper.payments.corrections import CorrectionOutcome, CorrectionResult, correct_payment
from gatekeeper.payments.reversals import PaymentUnreadable, read_payment, read_reversals
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.e2e.pausing_proxy import Fate, PausingProxy, When
from tests.payments.members import new_call
from tests.payments.till import AMOUNT_MINOR, CREDITS, PRICE_MINOR, Debtor, Till

REFUNDS = "/v1/refunds"
DISPUTES = "/v1/disputes"
INTENT = r"/v1/payment_intents/pi_\w+"


class Desk:
    """A top-off of 200 credits for 50 dollars that was paid, and what becomes of its money."""

    def __init__(self, till: Till, debtor: Debtor) -> None:
        self.till = till
        self.debtor = debtor
        self.payment_intent = till.topoff(debtor).payment_intent

    def refund(self, amount_minor: int | None = None) -> str:
        """Refund a part, or all that is left; returns the refund's id."""
        wanted: RefundCreateParams = {"payment_intent": self.payment_intent}
        if amount_minor is not None:
            wanted["amount"] = amount_minor
        return self.till.stripe.v1.refunds.create(wanted).id

    def dispute(self, amount_minor: int | None = None, *, inquiry: bool = False) -> str:
        charge = self.till.intent(self.debtor).latest_charge
        assert isinstance(charge, str)
        return self.till.control.open_dispute(charge, amount_minor, inquiry=inquiry)

    def news(self) -> int:
        """Say that there is news, as the webhook does."""
        return self.till.ledger.owed.note_owed(
            self.payment_intent, correction_task(self.payment_intent)
        )

    def correct(self, ledger: Ledger | None = None) -> CorrectionResult:
        """Run the job once."""
        return correct_payment(
            self.payment_intent,
            ledger=ledger or self.till.ledger,
            stripe=self.till.stripe,
            price_minor=PRICE_MINOR,
        )

    def outcome(self) -> tuple[str, int]:
        """Run the job on fresh news; returns its outcome and the credits that moved."""
        self.news()
        result = self.correct()
        assert not self.is_owed
        return result.outcome.value, result.credits

    @property
    def is_owed(self) -> bool:
        task = correction_task(self.payment_intent)
        return self.till.ledger.owed.is_owed(self.payment_intent, task)

    @property
    def balance(self) -> int:
        return self.till.account(self.debtor).balance

    @property
    def moved(self) -> list[tuple[str, int]]:
        """List the cause and credits of each correction's entry."""
        kinds = (EntryType.CREDITS_CLAWED_BACK, EntryType.CREDITS_RETURNED)
        entries = self.till.ledger.log.entries(self.debtor.account_id)
        return [(e.cause, e.purchased_delta) for e in entries if e.type in kinds]


@pytest.fixture
def desk(till: Till) -> Desk:
    debtor = till.debtor()
    till.charge(debtor)
    till.assert_credited_once(debtor)
    return Desk(till, debtor)


def test_a_refund_takes_credits_back_and_switches_auto_topoff_off(desk: Desk, till: Till) -> None:
    desk.refund(1000)
    desk.news()
    assert desk.correct() == CorrectionResult(
        CorrectionOutcome.CLAWED_BACK, desk.debtor.account_id, -40, desk.debtor.topoff_id
    )
    account = till.account(desk.debtor)
    assert (account.balance, account.topoff.enabled) == (160, False)
    assert sorted(till.emails(desk.debtor)) == ["credits_clawed_back", "topoff_succeeded"]
    assert not desk.is_owed


def test_a_job_run_twice_takes_them_once(desk: Desk) -> None:
    desk.refund(1000)
    assert desk.outcome() == ("clawed_back", -40)
    assert desk.outcome() == ("unchanged", 0)
    assert desk.correct().outcome is CorrectionOutcome.UNCHANGED  # requeued, though nothing is owed
    assert desk.moved == [("refund", -40)]


def test_each_refund_takes_its_difference(desk: Desk) -> None:
    desk.refund(1000)
    desk.outcome()
    desk.refund(1)
    assert desk.outcome() == ("clawed_back", 0)
    desk.refund(24)
    assert desk.outcome() == ("clawed_back", -1)
    desk.refund()
    assert desk.outcome() == ("clawed_back", -159)
    assert desk.balance == 0


def test_a_refund_that_failed_returns_them(desk: Desk, till: Till) -> None:
    refund = desk.refund(1000)
    desk.outcome()
    till.control.settle_refund(refund, "fail")
    assert desk.outcome() == ("returned", 40)
    assert (desk.balance, till.account(desk.debtor).topoff.enabled) == (CREDITS, False)


def test_a_refund_that_failed_before_it_was_heard_of_takes_nothing(desk: Desk, till: Till) -> None:
    till.control.settle_refund(desk.refund(1000), "fail")
    assert desk.outcome() == ("unchanged", 0)
    assert till.account(desk.debtor).topoff.enabled


def test_a_dispute_takes_them_and_returns_them_once_it_is_won(desk: Desk, till: Till) -> None:
    dispute = desk.dispute()
    assert desk.outcome() == ("clawed_back", -CREDITS)
    till.control.close_dispute(dispute, "won")
    assert desk.outcome() == ("returned", CREDITS)
    assert desk.moved == [("dispute", -CREDITS), ("dispute", CREDITS)]


def test_a_dispute_that_is_lost_changes_nothing_more(desk: Desk, till: Till) -> None:
    dispute = desk.dispute()
    desk.outcome()
    till.control.close_dispute(dispute, "lost")
    assert desk.outcome() == ("unchanged", 0)
    assert desk.balance == 0


def test_an_inquiry_takes_nothing(desk: Desk, till: Till) -> None:
    inquiry = desk.dispute(inquiry=True)
    assert desk.outcome() == ("unchanged", 0)
    till.control.close_dispute(inquiry, "warning_closed")
    assert desk.outcome() == ("unchanged", 0)
    assert (desk.balance, till.account(desk.debtor).topoff.enabled) == (CREDITS, True)


def test_a_dispute_of_all_after_a_partial_refund_takes_no_more_than_was_paid(
    desk: Desk, till: Till
) -> None:
    desk.refund(1000)
    dispute = desk.dispute(AMOUNT_MINOR)
    desk.outcome()
    assert desk.balance == 0
    till.control.close_dispute(dispute, "won")
    assert desk.outcome() == ("returned", 160)


def test_more_refunds_than_a_page_has_all_count(desk: Desk) -> None:
    for _ in range(104):
        desk.refund(25)
    assert desk.outcome() == ("clawed_back", -104)


def test_a_refund_that_overtakes_its_payment_credits_it_first(till: Till) -> None:
    debtor = till.debtor()
    with PausedSettling(till, debtor) as desk:
        assert till.topoff(debtor).state is TopoffState.CHARGING
        desk.refund(1000)
        assert desk.outcome() == ("clawed_back", -40)
    assert (desk.balance, till.topoff(debtor).state) == (160, TopoffState.SUCCEEDED)
    assert till.charge(debtor).outcome == "finished"
    assert (desk.balance, till.charged(debtor)) == (160, 1)


class PausedSettling:
    """A worker that has charged the card and not come to tell the ledger."""

    def __init__(self, till: Till, debtor: Debtor) -> None:
        till.control.add_fault("reset_after", path=rf"{INTENT}/confirm")
        self._till, self._debtor = till, debtor

    def __enter__(self) -> Desk:
        with pytest.raises(Exception, match="APIConnectionError"):
            self._till.charge(self._debtor)
        return Desk(self._till, self._debtor)

    def __exit__(self, *_: object) -> None:
        self._till.control.clear_faults()


def test_a_charge_that_never_reached_stripe_is_not_made_after_a_refund(
    desk: Desk, till: Till
) -> None:
    for _ in range(CREDITS - 40):
        till.ledger.calls.admit_call(desk.debtor.account_id, new_call(), "+15550001111")
    second = replace(desk.debtor, topoff_id=till.account(desk.debtor).topoff_id)
    till.control.add_fault("reset", path="/v1/payment_intents", method="POST")
    with pytest.raises(OutcomeUnknown):
        till.charge(second)
    desk.refund()
    assert desk.outcome() == ("clawed_back", -CREDITS)
    assert till.charge(second).outcome is ChargeOutcome.CANCELED
    assert till.charged(desk.debtor) == 1
    assert not till.is_owed(second)


def test_a_payment_that_did_not_succeed_has_nothing_to_give_back(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "do_not_honor"})
    till.charge(debtor)
    assert Desk(till, debtor).outcome() == ("not_credited", 0)


@pytest.mark.parametrize("metadata", ["none", "unknown account", "unknown buyer", "odd"])
def test_what_is_not_ours_is_struck_off(till: Till, desk: Desk, metadata: str) -> None:
    stranger = {
        "none": {},
        "unknown account": {
            "account": "acct_00000000000z",
            "topoff": "acct_00000000000z-0123456789ab",
        },
        "unknown buyer": {
            "account": "acct_00000000000z",
            "purchase": "acct_00000000000z-0123456789ab",
        },
        "odd": {"account": "Müller", "topoff": "x"},
    }[metadata]
    desk.payment_intent = pay(till, desk.debtor, stranger)
    desk.refund(100)
    assert desk.outcome() == ("not_ours", 0)
    assert desk.balance == CREDITS


def pay(till: Till, debtor: Debtor, metadata: dict[str, str]) -> str:
    """Let a customer pay for something that the ledger knows nothing of."""
    paid = till.stripe.v1.payment_intents.create(
        {
            "amount": 700,
            "currency": "usd",
            "customer": debtor.card.customer,
            "payment_method": debtor.card.payment_method,
            "confirm": True,
            "off_session": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "metadata": metadata,
        }
    )
    return paid.id


@pytest.mark.parametrize("of", ["topoff", "purchase"])
def test_a_payment_of_ours_that_the_ledger_lost_is_told_to_on_call(
    till: Till, desk: Desk, of: str
) -> None:
    account_id = desk.debtor.account_id
    lost = f"{account_id}-0123456789ab"
    desk.payment_intent = pay(till, desk.debtor, {"account": account_id, of: lost})
    desk.refund(100)
    desk.news()
    result = desk.correct()
    assert result == CorrectionResult(CorrectionOutcome(f"unknown_{of}"), account_id, 0, lost)
    assert result.outcome.needs_a_person
    assert (desk.is_owed, desk.balance) == (False, CREDITS)


def test_money_that_does_not_fit_its_topoff_is_left_to_on_call(till: Till) -> None:
    debtor = till.debtor()
    with PausedSettling(till, debtor) as desk:
        key = till.ledger.keys.of_account(debtor.account_id).topoff(debtor.topoff_id)
        till.ledger.client.hset(key, "amount_minor", 1)
        desk.refund(1000)
        desk.news()
        with pytest.raises(PaymentMismatch):
            desk.correct()
        assert desk.is_owed


@pytest.mark.parametrize("path", [INTENT, REFUNDS, DISPUTES])
@pytest.mark.parametrize("fault", ["reset", "error_before", "rate_limit", "bad_json"])
def test_while_stripe_is_away_the_work_stays_owed(
    desk: Desk, till: Till, path: str, fault: str
) -> None:
    desk.refund(1000)
    desk.news()
    till.control.add_fault(fault, path=path, method="GET")
    with pytest.raises(PaymentUnreadable) as raised:
        desk.correct()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert "An error" not in str(raised.value)
    assert (desk.is_owed, desk.balance) == (True, CREDITS)
    assert desk.correct().credits == -40
    assert not desk.is_owed


def test_a_payment_that_stripe_does_not_know_is_told_to_on_call_and_struck_off(till: Till) -> None:
    till.ledger.owed.note_owed("pi_0", correction_task("pi_0"))
    result = correct_payment(
        "pi_0", ledger=till.ledger, stripe=till.stripe, price_minor=PRICE_MINOR
    )
    assert result == CorrectionResult(CorrectionOutcome.NOT_AT_STRIPE)
    assert result.outcome.needs_a_person
    assert not till.ledger.owed.is_owed("pi_0", correction_task("pi_0"))


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_may_not_read_leaves_the_work_owed(desk: Desk, till: Till, status: int) -> None:
    desk.refund(1000)
    desk.news()
    till.control.add_fault("error_before", path=INTENT, method="GET", status=status)
    with pytest.raises(PaymentUnreadable, match="cannot be read"):
        desk.correct()
    assert desk.is_owed


def test_money_in_another_currency_is_left_to_on_call(desk: Desk, till: Till) -> None:
    desk.dispute()
    payment = read_payment(till.stripe, desk.payment_intent)
    assert payment is not None
    with pytest.raises(PaymentUnreadable, match="cannot be understood"):
        read_reversals(till.stripe, replace(payment, currency="eur"))


def test_news_that_come_while_the_job_runs_leave_it_owed(desk: Desk, till: Till) -> None:
    desk.refund(1000)
    desk.news()
    till.control.add_fault("hang_after", path=DISPUTES, method="GET")
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(desk.correct)
        assert till.control.held(count=1, wait_s=10)
        desk.refund(500)
        desk.news()
        till.control.release()
        assert running.result().credits == -40
    assert desk.is_owed
    assert desk.correct().credits == -20
    assert not desk.is_owed


def test_eight_jobs_at_once_take_them_once(desk: Desk, till: Till) -> None:
    desk.refund(1000)
    desk.news()
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(desk.correct) for _ in range(8)]
        moved = sorted(run.result().credits for run in runs)
    assert moved == [-40, *[0] * 7]
    assert (desk.balance, desk.moved, desk.is_owed) == (160, [("refund", -40)], False)
    assert till.emails(desk.debtor).count("credits_clawed_back") == 1


def test_a_job_that_read_stripe_long_ago_undoes_nothing(desk: Desk, till: Till) -> None:
    refund = desk.refund(1000)
    desk.news()
    till.control.add_fault("hang_after", path=DISPUTES, method="GET")
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(desk.correct)
        assert till.control.held(count=1, wait_s=10)
        desk.correct()
        till.control.settle_refund(refund, "fail")
        assert desk.outcome() == ("returned", 40)
        till.control.release()
        assert late.result().outcome is CorrectionOutcome.UNCHANGED
    assert desk.balance == CREDITS


@pytest.fixture
def proxy(valkey: EmbeddedValkey, ledger: Ledger) -> Iterator[PausingProxy]:
    for source in load_sources().values():
        ledger.client.script_load(source)
    with PausingProxy(valkey.port) as proxy:
        yield proxy


@pytest.mark.parametrize("verb", ["correct_payment", "strike_owed"])
@pytest.mark.parametrize("when", When)
def test_a_job_that_loses_the_ledger_midway_is_taken_up_again(
    desk: Desk, proxy: PausingProxy, verb: str, when: When
) -> None:
    client = connect_redis(proxy.url, timeout_s=10, max_connections=2)
    desk.refund(1000)
    desk.news()
    hold = proxy.hold(verb, when)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(desk.correct, Ledger(client, clock=desk.till.clock))
        assert hold.held.wait(10)
        hold.end(Fate.LOST)
        with pytest.raises(RedisError):
            running.result()
    client.close()
    desk.correct()
    assert (desk.balance, desk.moved, desk.is_owed) == (160, [("refund", -40)], False)
