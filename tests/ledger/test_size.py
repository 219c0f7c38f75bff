"""Memory: at most 1 KB an account, and 200 bytes a call while it is kept (DESIGN §8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.domain.account import Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import CallId
from gatekeeper.domain.route import Route
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey

ACCOUNT_SID = "AC" + "1" * 32
NUMBER = "+15550001111"
MANY = 3000
#: More, as what accounts share is shared among them: fewer would pay for it many times over.
MANY_ACCOUNTS = 10_000


@pytest.fixture
def own_ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A server of its own, so that nothing else is in its memory."""
    # What is deleted is freed at once, not by a thread in its own time.
    with EmbeddedValkey(tmp_path, extra_args=["--lazyfree-lazy-user-del", "no"]) as server:
        client = connect(server.url, timeout_s=10, max_connections=2)
        yield Ledger(client)
        client.close()


def _used_bytes(ledger: Ledger) -> int:
    """Dataset memory without the log, which history trims."""
    ledger.client.delete(ledger.keys.log(0))
    return int(ledger.client.info("memory")["used_memory_dataset"])


def test_a_call_takes_at_most_200_bytes(own_ledger: Ledger) -> None:
    account_id = new_account_id()
    own_ledger.accounts.open_account(NewAccount(account_id, "Able", "a@example.com", 2 * MANY))
    before = _used_bytes(own_ledger)
    for n in range(MANY):
        own_ledger.calls.admit_call(account_id, CallId(ACCOUNT_SID, f"CA{n:032x}"), NUMBER)
    assert (_used_bytes(own_ledger) - before) / MANY <= 200


def test_an_account_takes_at_most_1_kb(own_ledger: Ledger) -> None:
    route = Route.parse("https://receptionist.example.com/twiml/incoming").to_text()
    before = _used_bytes(own_ledger)
    for n in range(MANY_ACCOUNTS):
        account_id = new_account_id()
        own_ledger.accounts.open_account(
            NewAccount(account_id, f"Practice {n}", f"owner{n}@example.com", 100, "Europe/Berlin")
        )
        own_ledger.accounts.set_topoff(account_id, TopoffSettings(True, 50, 200))
        card = Card(f"cus_{n:014d}", f"pm_{n:024d}", "visa", "4242", "12/2031")
        own_ledger.accounts.set_card(account_id, card)
        own_ledger.accounts.update_account(account_id, route=route)
    assert (_used_bytes(own_ledger) - before) / MANY_ACCOUNTS <= 1024
