"""The proxy holds a verb where it says, or the tests of killed workers would prove nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.scripts import load_sources
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.e2e.pausing_proxy import Fate, PausingProxy, When

ENOUGH_S = 10.0


@pytest.fixture
def ledger(valkey: EmbeddedValkey) -> Iterator[Ledger]:
    """The ledger by the direct way, its scripts loaded."""
    with closing(connect(valkey.url, timeout_s=5, max_connections=4)) as client:
        for source in load_sources().values():
            client.script_load(source)
        yield Ledger(client)


@pytest.fixture
def proxy(valkey: EmbeddedValkey) -> Iterator[PausingProxy]:
    with PausingProxy(valkey.port) as proxy:
        yield proxy


class OpenAccount(threading.Thread):
    """A client behind the proxy that opens an account."""

    def __init__(self, proxy: PausingProxy) -> None:
        super().__init__()
        self.account_id = new_account_id()
        self.opened: bool | None = None
        self._client = connect(proxy.url, timeout_s=ENOUGH_S, max_connections=1)

    def run(self) -> None:
        new = NewAccount(self.account_id, "Able", "able@example.com")
        with closing(self._client):
            try:
                self.opened = Ledger(self._client).accounts.open_account(new)
            except redis.RedisError:
                self.opened = None


@pytest.mark.parametrize("when", When)
@pytest.mark.parametrize("fate", Fate)
def test_a_verb_is_held_before_or_after_it_is_executed(
    ledger: Ledger, proxy: PausingProxy, when: When, fate: Fate
) -> None:
    hold = proxy.hold("open_account", when)
    client = OpenAccount(proxy)
    client.start()
    assert hold.held.wait(ENOUGH_S)
    assert (client.account_id in ledger.accounts.ids()) is (when is When.AFTER)
    hold.end(fate)
    client.join(ENOUGH_S)
    assert client.opened is (True if fate is Fate.DELIVERED else None)
    executed = when is When.AFTER or fate is Fate.DELIVERED
    assert (client.account_id in ledger.accounts.ids()) is executed
    assert hold.answered.is_set() is executed


def test_a_verb_is_held_once_and_others_pass(ledger: Ledger, proxy: PausingProxy) -> None:
    other = proxy.hold("set_topoff", When.BEFORE)
    hold = proxy.hold("open_account", When.BEFORE)
    first, second = OpenAccount(proxy), OpenAccount(proxy)
    first.start()
    assert hold.held.wait(ENOUGH_S)
    second.start()
    second.join(ENOUGH_S)
    assert second.opened
    hold.end(Fate.DELIVERED)
    first.join(ENOUGH_S)
    assert first.opened
    assert not other.held.is_set()
