"""Many callers, one balance: exactly as many answered calls as there were credits."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.call import CallId, Decision
from gatekeeper.domain.entry import EntryType
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey

CREDITS = 50
PROCESSES = 4
THREADS = 100
CALLS = 200
ACCOUNT_SID = "AC" + "1" * 32
NUMBER = "+15550001111"


def _admit_all(
    url: str, shards: int, account_id: str, sids: Sequence[str], threads: int
) -> list[tuple[str, str]]:
    """Send every call twice from many threads; returns (CallSid, decision) for each time."""
    ledger = Ledger(connect(url, timeout_s=30, max_connections=threads), shards=shards)

    def admit(sid: str) -> tuple[str, str]:
        admission = ledger.calls.admit_call(account_id, CallId(ACCOUNT_SID, sid), NUMBER)
        return sid, admission.verdict.decision.value

    with ThreadPoolExecutor(threads) as pool:
        told = list(pool.map(admit, [*sids, *sids]))
    ledger.client.close()
    return told


def test_a_balance_of_fifty_answers_fifty_calls(ledger: Ledger, valkey: EmbeddedValkey) -> None:
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "a@example.com", CREDITS // 2))
    ledger.accounts.add_credits(account_id, CREDITS - CREDITS // 2, reference="r", cause="test")
    sids = [f"CA{n:032x}" for n in range(CALLS)]

    # Every process is given every call: each arrives eight times, in four processes.
    work = (valkey.url, ledger.keys.shards, account_id, sids, THREADS // PROCESSES)
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        told = [pair for batch in pool.starmap(_admit_all, [work] * PROCESSES) for pair in batch]

    decisions = {sid: {decision for told_sid, decision in told if told_sid == sid} for sid in sids}
    assert all(len(distinct) == 1 for distinct in decisions.values())
    answered = [sid for sid, distinct in decisions.items() if distinct == {Decision.ANSWER}]
    assert len(answered) == CREDITS
    assert ledger.accounts.account(account_id).balance == 0
    entries = Counter((entry.type, entry.ref) for entry in ledger.log.entries(account_id))
    assert {ref for (kind, ref) in entries if kind is EntryType.CALL_DEBITED} == set(answered)
    calls = {key: count for key, count in entries.items() if key[1] in decisions}
    assert len(calls) == CALLS
    assert set(calls.values()) == {1}
