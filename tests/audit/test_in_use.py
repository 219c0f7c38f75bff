"""An audit of stores in use finds nothing that is not there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from gatekeeper.audit import Difference, audit_account, audit_ledger
from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.topoff import Topoff
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import HistoryCopy
from tests.cli.conftest import ACCOUNT_SID, open_account
from tests.cli.stories import CARD, NUMBER, PRICE_MINOR, call, decline, succeed, switch_on
from tests.history.copies import copying

ROUNDS = 30
CALLERS = 2
AUDITS_MIN = 3


@pytest.fixture
def accounts(running_ledger: Ledger) -> list[str]:
    """Accounts that top off soon, all in use."""
    ids = [open_account(running_ledger, allotment=5) for _ in range(4)]
    for account_id in ids:
        running_ledger.accounts.set_card(account_id, CARD)
        switch_on(running_ledger, account_id, threshold=3, amount=4)
    return ids


@pytest.fixture
def small_nodes(running_ledger: Ledger) -> Iterator[None]:
    """Let the server trim short logs too: it does so by whole nodes."""
    setting = "stream-node-max-entries"
    before = running_ledger.client.config_get(setting)[setting]
    assert before is not None
    running_ledger.client.config_set(setting, 5)
    yield
    running_ledger.client.config_set(setting, before)


def _use(
    ledger: Ledger, accounts: Sequence[str], caller: int, at_least: Callable[[], bool]
) -> None:
    """Let calls come and go, and charges succeed and fail, until there were enough audits."""
    rounds = 0
    while rounds < ROUNDS or not at_least():
        rounds += 1
        for account_id in accounts:
            call(ledger, account_id, CallEnd.COMPLETED)
            call(ledger, account_id, CallEnd.BUSY)
            _tell_otherwise(ledger, account_id, caller, rounds)
            if caller == 0:
                _charge(ledger, account_id, succeeds=bool(rounds % 5))
                _raise_allotment(ledger, account_id)
        if caller == 0 and rounds < ROUNDS:
            open_account(ledger, allotment=1)


def _tell_otherwise(ledger: Ledger, account_id: str, caller: int, rounds: int) -> None:
    known = CallId(ACCOUNT_SID, f"CA{caller:016x}{rounds:016x}")
    ledger.calls.admit_call(account_id, known, NUMBER)
    ledger.calls.admit_offline(account_id, known, NUMBER, Decision.DROP)
    if rounds % 2:
        ledger.calls.admit_offline(account_id, known, NUMBER, Decision.ANSWER)
    end = CallEnd.COMPLETED
    ledger.calls.settle_call(account_id, known, NUMBER, end, duration_s=3, debit_unknown=False)


def _charge(ledger: Ledger, account_id: str, *, succeeds: bool) -> None:
    account = ledger.accounts.account(account_id)
    if account.topoff_id:
        (succeed if succeeds else decline)(ledger, account.topoff_id)
        if succeeds:
            _take_back(ledger, ledger.topoffs.topoff(account.topoff_id))
    elif account.incident_id:
        ledger.topoffs.request_topoff(account_id, account.incident_id)


def _take_back(ledger: Ledger, topoff: Topoff) -> None:
    """Let a refund take credits back and fail; the customer switches top-offs on again."""
    paid_minor = topoff.credits * PRICE_MINOR
    payment = CreditedPayment(topoff.id, topoff.payment_intent, topoff.credits, paid_minor, "usd")
    for rank in (1, 2):
        refund = Reversal("re_1", CorrectionCause.REFUND, rank, paid_minor // 2, rank == 1)
        ledger.corrections.correct_payment(topoff.account_id, payment, [refund])
    switch_on(ledger, topoff.account_id, threshold=3, amount=4)


def _raise_allotment(ledger: Ledger, account_id: str) -> None:
    account = ledger.accounts.account(account_id)
    ledger.cycles.set_cycle(
        account_id,
        allotment=account.allotment_size + 1,
        anchor_ms=account.anchor_ms,
        interval=account.interval,
    )


@contextmanager
def _in_use(
    ledger: Ledger, accounts: Sequence[str]
) -> Iterator[tuple[list[int], Callable[[], bool]]]:
    """Use accounts from several threads; gives a list to note audits in, and whether it goes on."""
    audits: list[int] = []
    with ThreadPoolExecutor(CALLERS) as pool:
        uses = [
            pool.submit(_use, ledger, accounts, caller, lambda: len(audits) >= AUDITS_MIN)
            for caller in range(CALLERS)
        ]
        try:
            yield audits, lambda: not all(use.done() for use in uses)
        finally:
            audits += [0] * AUDITS_MIN
        for use in uses:
            use.result()


@pytest.mark.usefixtures("small_nodes")
@pytest.mark.parametrize("trim_behind_s", [None, 0.0], ids=["untrimmed", "trimmed"])
def test_it_is_exact_while_calls_topoffs_and_a_relay_go_on(
    running_ledger: Ledger, engine: Engine, accounts: list[str], trim_behind_s: float | None
) -> None:
    copy = HistoryCopy(running_ledger, engine, trim_behind_s=trim_behind_s, look_interval_s=0.01)
    found: list[Difference] = []
    with copying(copy), _in_use(running_ledger, accounts) as (audits, goes_on):
        while goes_on():
            found += audit_ledger(running_ledger, engine)
            found += audit_account(running_ledger, accounts[0], engine)
            audits.append(1)
    assert found == []
    copy.copy_all()
    assert audit_ledger(running_ledger, engine) == []
    shards = range(running_ledger.keys.shards)
    if trim_behind_s is not None:
        held = sum(running_ledger.log.length(shard) for shard in shards)
        written = sum(page.written for shard in shards for page in running_ledger.log.pages(shard))
        assert held < written


def test_it_is_exact_before_history_was_ever_copied(
    running_ledger: Ledger, accounts: list[str]
) -> None:
    found: list[Difference] = []
    with _in_use(running_ledger, accounts) as (audits, goes_on):
        while goes_on():
            found += audit_ledger(running_ledger)
            audits.append(1)
    assert found == []


@pytest.mark.usefixtures("small_nodes")
def test_several_relays_and_audits_at_once(
    running_ledger: Ledger, engine: Engine, accounts: list[str]
) -> None:
    copies = [
        HistoryCopy(running_ledger, engine, trim_behind_s=0.0, look_interval_s=0.01)
        for _ in range(2)
    ]
    barrier = threading.Barrier(2)

    def audit() -> list[Difference]:
        barrier.wait(timeout=20)
        return audit_ledger(running_ledger, engine)

    with (
        copying(copies[0]),
        copying(copies[1]),
        _in_use(running_ledger, accounts) as (audits, goes_on),
        ThreadPoolExecutor(2) as pool,
    ):
        found: list[Difference] = []
        while goes_on():
            both = [pool.submit(audit) for _ in range(2)]
            found += [difference for one in both for difference in one.result()]
            audits.append(1)
    assert found == []
