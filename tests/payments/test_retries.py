"""A failed top-off is put right: a new card, the button, and the clock, all at once (R7, R8)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason, Resolution
from gatekeeper.domain.topoff import TopoffCause
from gatekeeper.ledger.topoffs import Look, RetryAnswer
from gatekeeper.payments.charging import ChargeOutcome, OutcomeUnknown
from tests.conftest import MovableClock
from tests.payments.till import CREDITS, Debtor, Till

RACERS = 8


def newest(till: Till, debtor: Debtor) -> Debtor:
    """Take the account's top-off in flight for its debtor's."""
    account = till.account(debtor)
    return Debtor(debtor.account_id, account.topoff_id, account.card or debtor.card)


def broken(till: Till) -> Debtor:
    """An account whose charge was canceled at Stripe by hand: an internal error."""
    debtor = till.debtor()
    till.control.add_fault("reset", path=r"/v1/payment_intents/pi_\w+/confirm")
    try_once(till, debtor)
    till.stripe.v1.payment_intents.cancel(till.topoff(debtor).payment_intent)
    assert till.charge_until_known(debtor).outcome is ChargeOutcome.INTERNAL_ERROR
    return debtor


def try_once(till: Till, debtor: Debtor) -> ChargeOutcome | None:
    try:
        return till.charge(debtor).outcome
    except OutcomeUnknown:  # the ledger still owes it
        return None


def retry(till: Till, debtor: Debtor, incident_id: str) -> RetryAnswer:
    return till.ledger.topoffs.request_topoff(debtor.account_id, incident_id, by="ada")


def requested(till: Till, debtor: Debtor) -> list[str]:
    entries = till.ledger.log.entries(debtor.account_id)
    return [entry.cause for entry in entries if entry.type is EntryType.TOPOFF_REQUESTED]


def test_r8_a_new_card_is_charged_at_once_and_the_button_then_charges_nothing(till: Till) -> None:
    """As the seed has it: swap in a working card, then retry the charge."""
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "stolen_card"})
    till.charge(debtor)
    declined = till.account(debtor).incident_id
    till.ledger.accounts.set_card(debtor.account_id, till.new_card("5555555555554444"))
    account, incident = till.account(debtor), till.incident(debtor)
    assert incident is not None
    assert (account.blocked_by, incident.resolution) == (None, Resolution.CARD_ATTACHED)
    again = newest(till, debtor)
    assert till.topoff(again).cause is TopoffCause.AUTOMATIC
    assert retry(till, debtor, declined) is RetryAnswer.IN_FLIGHT
    assert till.charge(again).outcome is ChargeOutcome.SUCCEEDED
    assert retry(till, debtor, declined) is RetryAnswer.NO_SUCH_INCIDENT
    assert (till.charged(again), till.account(debtor).balance) == (1, CREDITS)


def test_r8_a_new_card_above_the_threshold_charges_nothing(till: Till) -> None:
    debtor = till.debtor(outcome={"outcome": "decline", "decline_code": "stolen_card"})
    till.charge(debtor)
    declined = till.account(debtor).incident_id
    till.ledger.accounts.add_credits(debtor.account_id, 60, reference="gift", cause="test")
    till.ledger.accounts.set_card(debtor.account_id, till.new_card("5555555555554444"))
    account = till.account(debtor)
    assert (account.blocked_by, account.topoff_id) == (None, "")
    assert retry(till, debtor, declined) is RetryAnswer.NO_SUCH_INCIDENT


def test_r8_a_retry_after_an_internal_error_charges_and_resolves(till: Till) -> None:
    debtor = broken(till)
    assert till.account(debtor).blocked_by is FailureReason.INTERNAL_ERROR
    assert retry(till, debtor, till.account(debtor).incident_id) is RetryAnswer.REQUESTED
    again = newest(till, debtor)
    assert till.charge(again).outcome is ChargeOutcome.SUCCEEDED
    incident = till.incident(debtor)
    assert incident is not None
    assert incident.resolution is Resolution.TOPOFF_SUCCEEDED
    assert (till.charged(debtor), till.account(debtor).balance) == (1, CREDITS)


def test_r7_the_button_beside_the_clock_and_many_workers_charges_once(
    till: Till, clock: MovableClock
) -> None:
    """The button pressed in many tabs as a cool-down ends, and a worker behind each of them."""
    debtor = broken(till)
    incident_id = till.account(debtor).incident_id
    clock.advance(s=INTERNAL_ERROR_COOL_DOWNS_S[0])
    start, turns = Barrier(2 * RACERS), count()

    def press() -> None:
        start.wait()
        if next(turns) % 2:
            retry(till, debtor, incident_id)
        else:
            assert till.ledger.topoffs.look_at_threshold(debtor.account_id) is not Look.EARLY

    def work() -> ChargeOutcome | None:
        start.wait()
        again = newest(till, debtor)
        return try_once(till, again) if again.topoff_id else None

    with ThreadPoolExecutor(2 * RACERS) as pool:
        pressed = [pool.submit(press) for _ in range(RACERS)]
        worked = [pool.submit(work) for _ in range(RACERS)]
        assert all(each.result() is None for each in pressed)
        assert {each.result() for each in worked} <= {
            ChargeOutcome.SUCCEEDED,
            ChargeOutcome.FINISHED,
            None,
        }
    again = newest(till, debtor)
    if again.topoff_id:
        till.charge_until_known(again)
    assert len(requested(till, debtor)) == 2  # the one that failed, and one more
    assert (till.charged(debtor), till.account(debtor).balance) == (1, CREDITS)
    assert till.account(debtor).blocked_by is None
    assert till.emails(debtor).count("topoff_succeeded") == 1
