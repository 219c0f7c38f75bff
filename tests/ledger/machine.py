"""The random histories' frame: how one begins, and what must hold after every step."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from gatekeeper.domain.account import (
    NewAccount,
    new_account_id,
)
from gatekeeper.domain.call import CallId, CallRecord, Direction
from gatekeeper.domain.checkout import CheckoutState
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.money import CreditPrice
from gatekeeper.domain.notice import KIND_OF_NOTICE
from gatekeeper.history.call import CALL_ENTRIES
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.log import EMPTY_LOG
from gatekeeper.ledger.records import read_call
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.model import PEOPLE, Model
from tests.ledger.model_state import PRICE_MINOR

ACCOUNT_SID = "AC" + "5" * 32
NUMBER = "+15550001111"
DAY_MS = 86_400_000
PRICE = CreditPrice(PRICE_MINOR, "usd")


def _kind(told: tuple[str, object]) -> str:
    return told[0]


def direction_of(sid: str) -> Direction:
    """Every other call goes out."""
    return Direction.OUTBOUND if int(sid[-1], 16) % 2 else Direction.INBOUND


class Machine(RuleBasedStateMachine):
    """One account on a real server, and its model."""

    server: ClassVar[EmbeddedValkey]
    shards: ClassVar[int]

    @initialize(allotment=st.integers(0, 6))
    def open(self, allotment: int) -> None:
        client = connect(self.server.url, timeout_s=10, max_connections=4)
        client.flushall()
        self.clock = MovableClock(NOON_MS)
        self.ledger = Ledger(client, shards=self.shards, clock=self.clock)
        self.id = new_account_id()
        self.model = Model(allotment, NOON_MS)
        self.seen_mail: set[str] = set()
        self.seen_entry = EMPTY_LOG
        self.ledger.accounts.open_account(NewAccount(self.id, "Able", "a@example.com", allotment))

    def teardown(self) -> None:
        with contextlib.suppress(AttributeError):
            self.ledger.client.close()

    @rule(hours=st.sampled_from([0.5, 1, 6, 24, 10 * 24, 31 * 24, 70 * 24]))
    def wait(self, hours: float) -> None:
        self.clock.advance(s=hours * 3600)
        self.model.now_ms = self.clock.now_ms

    def _take_over_request(self) -> None:
        if self.model.wants_topoff:
            topoff_id = self.ledger.accounts.account(self.id).topoff_id
            assert topoff_id not in self.model.topoffs
            self.model.requested(topoff_id)

    @invariant()
    def agrees_with_the_model(self) -> None:
        if not hasattr(self, "ledger"):
            return
        self._take_over_request()
        assert self._snapshot() == self.model.snapshot()

    @invariant()
    def sum_of_deltas_is_the_balance(self) -> None:
        if not hasattr(self, "ledger"):
            return
        entries = list(self.ledger.log.entries(self.id))
        of_calls = [entry for entry in entries if entry.type in CALL_ENTRIES]
        assert all(entry.direction is direction_of(entry.ref) for entry in of_calls)
        assert sum(e.allotment_delta for e in entries) == self.model.allotment
        assert sum(e.purchased_delta for e in entries) == self.model.purchased
        assert (entries[-1].allotment, entries[-1].purchased) == (
            self.model.allotment,
            self.model.purchased,
        )

    @invariant()
    def entries_tell_of_every_change(self) -> None:
        if not hasattr(self, "ledger"):
            return
        shard = self.ledger.keys.shard_of(self.id)
        told = []
        for entry in self.ledger.log.shard_entries(shard, self.seen_entry):
            self.seen_entry = entry.id
            if entry.type in (EntryType.ACCOUNT_CHANGED, EntryType.INCIDENT_RESOLVED):
                told.append((entry.cause, "" if entry.ref == self.id else entry.ref))
        assert told == self.model.told
        self.model.told.clear()

    @invariant()
    def owed_mail_is_what_happened(self) -> None:
        if not hasattr(self, "ledger"):
            return
        told = []
        for task, _ in self._owed():
            kind, _, notice_id = task.partition(":")[2].partition(":")
            if not task.startswith("email:") or notice_id in self.seen_mail:
                continue
            self.seen_mail.add(notice_id)
            notice = self.ledger.topoffs.notice(notice_id)
            assert notice is not None
            assert KIND_OF_NOTICE[type(notice)] == kind
            told.append((kind, notice))
        # Those of one instant are owed by their names' order.
        told.sort(key=_kind)
        expected = sorted(self.model.notices, key=_kind)
        assert [kind for kind, _ in told] == [kind for kind, _ in expected]
        for (_, notice), (_, facts) in zip(told, expected, strict=True):
            assert {name: getattr(notice, name) for name in facts} == facts
        self.model.notices.clear()

    def _owed(self) -> list[tuple[str, int]]:
        return self.ledger.owed.tasks(self.ledger.keys.shard_of(self.id))

    def _calls(self) -> dict[str, CallRecord]:
        own = self.ledger.keys.of_account(self.id)
        sids = list(self.model.calls)
        keys = [own.call(CallId(ACCOUNT_SID, sid)) for sid in sids]
        records = self.ledger.client.mget(keys) if keys else []
        return {sid: read_call(str(record)) for sid, record in zip(sids, records, strict=True)}

    def _paid_visits(self) -> set[str]:
        found = (self.ledger.checkouts.find(visit) for visit in self.model.checkouts)
        return {visit.id for visit in found if visit and visit.state is CheckoutState.SUCCEEDED}

    def _taken_back(self, topoff_id: str) -> int:
        key = self.ledger.keys.of_account(self.id).clawback(f"pi_first_{topoff_id[-12:]}")
        return int(str(self.ledger.client.hget(key, "taken") or 0))

    def _snapshot(self) -> dict[str, object]:
        account = self.ledger.accounts.account(self.id)
        owed = dict(self._owed())
        calls = self._calls()
        entries = list(self.ledger.log.entries(self.id))
        types = [entry.type for entry in entries]
        incident = self.ledger.accounts.incident(self.id)
        assert (account.incident_id != "") == (
            incident is not None and incident.resolved_at_ms is None
        )
        return {
            "allotment": account.allotment,
            "purchased": account.purchased,
            "standing": account.standing,
            "topoff_id": account.topoff_id,
            "card": (account.card.payment_method, account.card.refused_code != "")
            if account.card
            else ("", False),
            "paid_visits": self._paid_visits(),
            "incident": account.incident_id,
            "sees_incident": [
                self.ledger.incidents.unseen_incident(self.id, email) is not None
                for email in PEOPLE
            ],
            "retry_at_ms": account.retry_at_ms,
            "calls": {sid: (call.verdict, call.state, call.debited) for sid, call in calls.items()},
            "topoffs": {
                topoff_id: self.ledger.topoffs.topoff(topoff_id).state
                for topoff_id in self.model.topoffs
            },
            "taken_back": {
                topoff_id: self._taken_back(topoff_id) for topoff_id in self.model.topoffs
            },
            "charges_owed": {
                task.removeprefix("charge:") for task in owed if task.startswith("charge:")
            },
            "look_owed_at_ms": owed.get(f"look:{self.id}"),
            "cycle": (
                account.cycle_no,
                account.cycle_start_ms,
                account.cycle_end_ms,
                owed.get(f"cycle:{self.id}"),
            ),
            "granted": (account.granted, account.withheld),
            "spending": (
                account.spent_minor,
                account.spent_start_ms,
                types.count(EntryType.TOPOFF_CAPPED),
            ),
            "canceled": {
                entry.ref: entry.cause
                for entry in entries
                if entry.type is EntryType.TOPOFF_CANCELED
            },
            "subscription": (account.subscription, f"subscription:{self.id}" in owed),
        }
