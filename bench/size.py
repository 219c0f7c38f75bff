"""The memory that an account and a call take in the ledger's server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.figures import Reading
from gatekeeper.domain.account import Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import CallId
from gatekeeper.domain.route import Route
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stack import ACCOUNT_SID, RECEPTIONIST_URL
from gatekeeper.sandbox.valkey import EmbeddedValkey

ACCOUNT_BYTES_MAX: Final = 1024
CALL_BYTES_MAX: Final = 200


def measure_size(directory: Path, count: int) -> list[Reading]:
    """Store so many accounts and calls on a server of their own, and weigh them."""
    # What is deleted is freed at once, not by a thread in its own time.
    with EmbeddedValkey(directory, extra_args=["--lazyfree-lazy-user-del", "no"]) as server:
        client = connect(server.url, timeout_s=10, max_connections=2)
        ledger = Ledger(client)
        payer = new_account_id()
        ledger.accounts.open_account(NewAccount(payer, "Practice", "owner@example.com", count))
        start = _used_bytes(ledger)
        for n in range(count):
            ledger.calls.admit_call(payer, CallId(ACCOUNT_SID, f"CA{n:032x}"), "+15550001111")
        with_calls = _used_bytes(ledger)
        for n in range(count):
            _open_account(ledger, n)
        with_accounts = _used_bytes(ledger)
        client.close()
    return [
        Reading(
            "memory, an account with a card",
            "bytes",
            (with_accounts - with_calls) / count,
            most_wanted=ACCOUNT_BYTES_MAX,
        ),
        Reading(
            "memory, a call while it is kept",
            "bytes",
            (with_calls - start) / count,
            most_wanted=CALL_BYTES_MAX,
        ),
    ]


def _open_account(ledger: Ledger, n: int) -> None:
    account_id = new_account_id()
    new = NewAccount(account_id, f"Practice {n}", f"owner{n}@example.com", 100, "Europe/Berlin")
    ledger.accounts.open_account(new)
    ledger.accounts.set_topoff(account_id, TopoffSettings(enabled=True, threshold=50, amount=200))
    card = Card("cus_0123456789abcd", "pm_0123456789abcdefghijklmn", "visa", "4242", "12/2031")
    ledger.accounts.set_card(account_id, card)
    route = Route.parse(RECEPTIONIST_URL).to_text()
    ledger.accounts.update_account(account_id, route=route)


def _used_bytes(ledger: Ledger) -> int:
    """Read what the data takes, without the log: that is trimmed once it has been copied."""
    ledger.client.delete(ledger.keys.log(0))
    return int(ledger.client.info("memory")["used_memory_dataset"])
