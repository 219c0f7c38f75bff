"""The ledger as one object, made of its rooms."""

from __future__ import annotations

from redis import Redis

from gatekeeper.ledger.accounts import Accounts
from gatekeeper.ledger.calls import Calls
from gatekeeper.ledger.checkouts import Checkouts
from gatekeeper.ledger.corrections import Corrections
from gatekeeper.ledger.customers import Customers
from gatekeeper.ledger.cycles import Cycles
from gatekeeper.ledger.incidents import Incidents
from gatekeeper.ledger.keys import CALL_KEPT_S
from gatekeeper.ledger.log import Log
from gatekeeper.ledger.members import Members
from gatekeeper.ledger.numbers import Numbers
from gatekeeper.ledger.outages import Outages
from gatekeeper.ledger.owed import Owed
from gatekeeper.ledger.sessions import Sessions
from gatekeeper.ledger.sign_ins import SignIns
from gatekeeper.ledger.store import Clock, Store, wall_clock_ms
from gatekeeper.ledger.subscriptions import Subscriptions
from gatekeeper.ledger.topoffs import Topoffs


class Ledger:
    """Everything that is true now. Every change is one verb, all or nothing."""

    def __init__(
        self,
        client: Redis,
        *,
        shards: int = 1,
        clock: Clock = wall_clock_ms,
        call_kept_s: int = CALL_KEPT_S,
    ) -> None:
        store = Store(client, shards, clock)
        self.client = client
        self.keys = store.keys
        self.accounts = Accounts(store)
        self.numbers = Numbers(store)
        self.members = Members(store)
        self.sign_ins = SignIns(store)
        self.sessions = Sessions(store)
        self.cycles = Cycles(store)
        self.subscriptions = Subscriptions(store)
        self.calls = Calls(store, call_kept_s)
        self.topoffs = Topoffs(store)
        self.incidents = Incidents(store)
        self.checkouts = Checkouts(store)
        self.customers = Customers(store)
        self.corrections = Corrections(store)
        self.owed = Owed(store)
        self.log = Log(store)
        self.outages = Outages(client, store.keys)

    def probe(self) -> None:
        """Write one key. Raises redis.RedisError when the ledger does not take writes."""
        self.client.set(self.keys.probe(), "1", px=1000)
