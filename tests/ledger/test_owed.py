from __future__ import annotations

from gatekeeper.backlog import OWED_OLDEST_S, owed_gauges
from gatekeeper.domain.account import NewAccount, TopoffSettings, new_account_id
from gatekeeper.ledger.ledger import Ledger
from tests.conftest import MovableClock

LEASE_S = 15


def _owing_account(ledger: Ledger) -> tuple[str, str]:
    """An account that owes one charge; returns its id and the task."""
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "a@example.com"))
    topoff_id = ledger.accounts.set_topoff(account_id, TopoffSettings(True, 1, 10))
    return account_id, f"charge:{topoff_id}"


def test_a_claim_is_exclusive_until_its_lease_ends(ledger: Ledger, clock: MovableClock) -> None:
    account_id, task = _owing_account(ledger)
    shard = ledger.keys.shard_of(account_id)
    assert [t.task for t in ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)] == [task]
    assert ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10) == []
    clock.advance(s=LEASE_S)
    assert [t.task for t in ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)] == [task]


def test_an_enqueued_task_comes_back_later_and_counts_its_tries(
    ledger: Ledger, clock: MovableClock
) -> None:
    account_id, _ = _owing_account(ledger)
    shard = ledger.keys.shard_of(account_id)
    (claimed,) = ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)
    assert claimed.tries == 0
    assert ledger.owed.enqueued_owed(claimed, tries=1, back_in_s=60)
    clock.advance(s=59)
    assert ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10) == []
    clock.advance(s=1)
    (again,) = ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)
    assert again.tries == 1


def test_a_struck_task_never_comes_back(ledger: Ledger, clock: MovableClock) -> None:
    account_id, task = _owing_account(ledger)
    shard = ledger.keys.shard_of(account_id)
    (claimed,) = ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)
    assert ledger.owed.strike_owed(account_id, task)
    assert not ledger.owed.strike_owed(account_id, task)
    assert not ledger.owed.enqueued_owed(claimed, tries=1, back_in_s=0)
    clock.advance(s=3600)
    assert ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10) == []
    assert ledger.owed.next_due_ms(shard) is None


def test_news_of_a_payment_is_owed_and_struck_off(ledger: Ledger, clock: MovableClock) -> None:
    task = "correction:pi_1"
    mark = ledger.owed.note_owed("pi_1", task)
    assert mark == ledger.owed.mark("pi_1", task)
    (claimed,) = ledger.owed.claim_owed(ledger.keys.shard_of("pi_1"), lease_s=LEASE_S, limit=10)
    assert (claimed.task, claimed.tries) == (task, 0)
    assert ledger.owed.strike_owed("pi_1", task, mark=mark)
    assert not ledger.owed.is_owed("pi_1", task)
    assert ledger.owed.mark("pi_1", task) is None
    assert not ledger.owed.strike_owed("pi_1", task, mark=mark)


def test_news_while_a_job_looks_into_earlier_ones_stay_owed(
    ledger: Ledger, clock: MovableClock
) -> None:
    task, shard = "correction:pi_1", ledger.keys.shard_of("pi_1")
    first = ledger.owed.note_owed("pi_1", task)
    (claimed,) = ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)
    ledger.owed.enqueued_owed(claimed, tries=1, back_in_s=60)
    assert ledger.owed.mark("pi_1", task) == first
    second = ledger.owed.note_owed("pi_1", task)  # within the same millisecond
    assert not ledger.owed.strike_owed("pi_1", task, mark=first)
    (again,) = ledger.owed.claim_owed(shard, lease_s=LEASE_S, limit=10)
    assert (again.task, again.tries) == (task, 0)
    assert ledger.owed.strike_owed("pi_1", task, mark=second)


def test_news_in_the_millisecond_of_a_strike_are_not_struck_off_by_a_run_that_overlaps(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Two runs of one job look at the same news; one ends, more news come, then the other ends."""
    task = "correction:pi_1"
    mark = ledger.owed.note_owed("pi_1", task)
    assert ledger.owed.strike_owed("pi_1", task, mark=mark)
    ledger.owed.note_owed("pi_1", task)
    assert not ledger.owed.strike_owed("pi_1", task, mark=mark)
    assert ledger.owed.is_owed("pi_1", task)


def test_the_relay_is_woken_by_news(ledger: Ledger, clock: MovableClock) -> None:
    shard = ledger.keys.shard_of("pi_1")
    with ledger.client.pubsub() as ear:  # type: ignore[no-untyped-call]
        ear.subscribe(ledger.keys.wake(shard))
        assert ear.get_message(timeout=5)
        ledger.owed.note_owed("pi_1", "correction:pi_1")
        heard = ear.get_message(timeout=5)
        assert heard is not None
        assert heard["data"] == str(clock())


def test_the_age_of_news_is_since_they_came(ledger: Ledger, clock: MovableClock) -> None:
    mark = ledger.owed.note_owed("pi_1", "correction:pi_1")
    ledger.owed.note_owed("pi_2", "correction:pi_2")
    clock.advance(s=60)
    assert owed_gauges(ledger, clock=clock)[OWED_OLDEST_S] == 60
    for payment in ("pi_1", "pi_2"):
        ledger.owed.strike_owed(payment, f"correction:{payment}")
    assert owed_gauges(ledger, clock=clock)[OWED_OLDEST_S] == 0
    assert ledger.owed.note_owed("pi_1", "correction:pi_1") != mark
