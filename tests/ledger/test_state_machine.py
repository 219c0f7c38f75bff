"""The scripts on a real server against the plain-Python model, over random histories."""

from __future__ import annotations

import contextlib
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gatekeeper.domain.account import (
    Card,
    InvalidSettings,
    NewAccount,
    TopoffSettings,
    new_account_id,
)
from gatekeeper.domain.call import CallEnd, CallId, CallRecord, Decision
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason
from gatekeeper.domain.notice import KIND_OF_NOTICE
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.errors import CorrectionRefused, PaymentMismatch, UnknownTopoff
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import read_call
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.model import Model

ACCOUNT_SID = "AC" + "5" * 32
NUMBER = "+15550001111"
PRICE_MINOR = 25

call_sids = st.integers(0, 7).map(lambda n: f"CA{n:032x}")
new_call_sids = st.integers(8, 10_000).map(lambda n: f"CA{n:032x}")
cards = st.sampled_from(["pm_one", "pm_two", "pm_three"])
topoff_settings = st.builds(
    TopoffSettings,
    enabled=st.booleans() | st.just(True),
    threshold=st.integers(0, 4),
    amount=st.integers(5, 8),
    overdraft_limit=st.none() | st.integers(0, 3),
)
failures = st.sampled_from(
    [
        (FailureReason.DECLINED, False, ()),
        (FailureReason.DECLINED, True, ()),
        (FailureReason.DECLINED, False, (6 * 3600,)),
        (FailureReason.INTERNAL_ERROR, False, INTERNAL_ERROR_COOL_DOWNS_S),
        (FailureReason.NO_PAYMENT_METHOD, False, ()),
    ]
)


class LedgerMachine(RuleBasedStateMachine):
    """Every verb of the calls', accounts' and top-offs' rooms, in any order."""

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
        self.ledger.accounts.open_account(NewAccount(self.id, "Able", "a@example.com", allotment))

    def teardown(self) -> None:
        with contextlib.suppress(AttributeError):
            self.ledger.client.close()

    # Calls

    @rule(sid=call_sids | new_call_sids)
    def admit(self, sid: str) -> None:
        admission = self.ledger.calls.admit_call(self.id, CallId(ACCOUNT_SID, sid), NUMBER)
        assert (admission.repeated, admission.verdict) == self.model.admit(sid)
        self._take_over_request()
        assert admission.balance == self.model.balance

    @rule(first=st.integers(20_000, 90_000), count=st.integers(2, 9))
    def admit_many(self, first: int, count: int) -> None:
        for n in range(count):
            self.admit(f"CA{first + n:032x}")

    @rule(sid=call_sids, end=st.sampled_from(CallEnd), debit_unknown=st.booleans())
    def settle(self, sid: str, end: CallEnd, debit_unknown: bool) -> None:
        real = self.ledger.calls.settle_call(
            self.id,
            CallId(ACCOUNT_SID, sid),
            NUMBER,
            end,
            duration_s=3,
            debit_unknown=debit_unknown,
        )
        assert real == self.model.settle(sid, end, debit_unknown)

    @rule(sid=call_sids, told=st.sampled_from(Decision))
    def admit_offline(self, sid: str, told: Decision) -> None:
        real = self.ledger.calls.admit_offline(self.id, CallId(ACCOUNT_SID, sid), NUMBER, told)
        assert real == self.model.admit_offline(sid, told)

    # Settings and corrections

    @rule(chosen=topoff_settings)
    def set_topoff(self, chosen: TopoffSettings) -> None:
        with contextlib.suppress(InvalidSettings):
            chosen.check(PRICE_MINOR)
        self.ledger.accounts.set_topoff(self.id, chosen)
        self.model.set_topoff(chosen)

    @rule(payment_method=cards)
    def set_card(self, payment_method: str) -> None:
        card = Card("cus_1", payment_method, "visa", "4242", "12/2031")
        self.ledger.accounts.set_card(self.id, card)
        self.model.set_card(payment_method)

    @rule()
    def remove_card(self) -> None:
        self.ledger.accounts.remove_card(self.id)
        self.model.set_card("")

    @rule(suspended=st.booleans())
    def suspend(self, suspended: bool) -> None:
        self.ledger.accounts.update_account(self.id, suspended="1" if suspended else "")
        self.model.set_suspended(suspended)

    @rule(credits=st.integers(-5, 5).filter(bool), reference=st.sampled_from("abcdefgh"))
    def correct(self, credits: int, reference: str) -> None:
        verbs = self.ledger.accounts
        verb = verbs.add_credits if credits > 0 else verbs.remove_credits
        expected = self.model.correct(credits, reference)
        try:
            changed = verb(self.id, abs(credits), reference=reference, cause="test")
            assert changed == (expected in ("added", "removed"))
        except CorrectionRefused:
            assert expected in ("conflict", "too_much")

    # Top-offs

    def _topoff_ids(self) -> list[str]:
        return list(self.model.topoffs)

    @precondition(lambda self: self.model.topoffs)
    @rule(data=st.data())
    def begin_charge(self, data: st.DataObject) -> None:
        self._begin(data.draw(st.sampled_from(self._topoff_ids())))

    def _begin(self, topoff_id: str) -> None:
        real, topoff = self.ledger.topoffs.begin_charge(
            topoff_id, price_minor=PRICE_MINOR, currency="usd"
        )
        assert real == self.model.begin_charge(topoff_id)
        if real == "charge":
            assert topoff.amount_minor == topoff.credits * PRICE_MINOR
            assert topoff.payment_method == self.model.topoffs[topoff_id].card

    @precondition(lambda self: self.model.topoffs)
    @rule(data=st.data(), intent=st.sampled_from(["first", "second"]))
    def record_intent(self, data: st.DataObject, intent: str) -> None:
        self._record(data.draw(st.sampled_from(self._topoff_ids())), intent)

    def _record(self, topoff_id: str, intent: str) -> None:
        model = self.model.topoffs[topoff_id]
        name = f"pi_{intent}_{topoff_id[-12:]}"
        if model.state is not TopoffState.CHARGING:
            with pytest.raises(UnknownTopoff):
                self.ledger.topoffs.record_intent(topoff_id, name)
            return
        model.payment_intent = model.payment_intent or name
        assert self.ledger.topoffs.record_intent(topoff_id, name) == model.payment_intent

    @precondition(lambda self: self.model.topoff_id)
    @rule(attempt=st.integers(1, 3))
    def next_attempt(self, attempt: int) -> None:
        model = self.model.topoffs[self.model.topoff_id]
        if model.state is not TopoffState.CHARGING:
            with pytest.raises(UnknownTopoff):
                self.ledger.topoffs.next_attempt(self.model.topoff_id, attempt)
            return
        model.attempt += model.attempt == attempt
        assert self.ledger.topoffs.next_attempt(self.model.topoff_id, attempt) == model.attempt

    @precondition(lambda self: self.model.topoffs)
    @rule(
        data=st.data(),
        wrong=st.sampled_from(
            ["", "", "", "payment_intent", "amount_minor", "currency", "customer"]
        ),
    )
    def settle_topoff(self, data: st.DataObject, wrong: str) -> None:
        self._settle(data.draw(st.sampled_from(self._topoff_ids())), wrong)

    def _settle(self, topoff_id: str, wrong: str) -> None:
        model = self.model.topoffs[topoff_id]
        facts: dict[str, Any] = {
            "payment_intent": model.payment_intent or "pi_none",
            "amount_minor": model.credits * PRICE_MINOR,
            "currency": "usd",
            "customer": "cus_1",
        }
        if wrong:
            self.model.turn_if_over()
            facts[wrong] = 1 if wrong == "amount_minor" else "eur"
        expected = "mismatch" if wrong else ""
        expected = expected or self.model.settle_topoff(topoff_id, facts["payment_intent"])
        try:
            real = self.ledger.topoffs.settle_topoff(topoff_id, Payment(card_last4="4242", **facts))
            assert real == expected
        except PaymentMismatch:
            assert expected in ("mismatch", "bad_move")

    @precondition(lambda self: self.model.topoffs)
    @rule(data=st.data(), failure=failures)
    def fail_topoff(
        self, data: st.DataObject, failure: tuple[FailureReason, bool, tuple[int, ...]]
    ) -> None:
        self._fail(data.draw(st.sampled_from(self._topoff_ids())), failure)

    def _fail(self, topoff_id: str, failure: tuple[FailureReason, bool, tuple[int, ...]]) -> None:
        reason, refused, cool_downs_s = failure
        expected = self.model.fail_topoff(topoff_id, reason, refused, cool_downs_s)
        try:
            real = self.ledger.topoffs.fail_topoff(
                topoff_id,
                payment_intent=self.model.topoffs[topoff_id].payment_intent,
                reason=reason,
                decline_code="any" if reason is FailureReason.DECLINED else "",
                card_refused=refused,
                cool_downs_s=cool_downs_s,
            )
            assert real == expected
        except PaymentMismatch:
            assert expected == "bad_move"

    @precondition(lambda self: self.model.topoff_id)
    @rule(payment_method=cards, failure=st.none() | failures)
    def charge_to_the_end(
        self, payment_method: str, failure: tuple[FailureReason, bool, tuple[int, ...]] | None
    ) -> None:
        """Take the top-off in flight through its whole charge: deep states need many of these."""
        topoff_id = self.model.topoff_id
        if not self.model.card:
            self.set_card(payment_method)
        self._begin(topoff_id)
        if self.model.topoffs[topoff_id].state is TopoffState.CHARGING:
            self._record(topoff_id, "first")
        if failure is None:
            self._settle(topoff_id, wrong="")
        else:
            self._fail(topoff_id, failure)

    @rule(current=st.booleans() | st.just(True))
    def retry(self, current: bool) -> None:
        incident = self.model.incident_id if current else "acct_none-0"
        real = self.ledger.topoffs.request_topoff(self.id, incident)
        assert real == self.model.retry(incident)

    @precondition(lambda self: self.model.incident_open and not self.model.topoff_id)
    @rule(failure=st.none() | failures)
    def retry_and_charge(self, failure: tuple[FailureReason, bool, tuple[int, ...]] | None) -> None:
        self.retry(current=True)
        self._take_over_request()
        self.charge_to_the_end("pm_one", failure)

    @rule()
    def look(self) -> None:
        assert self.ledger.topoffs.look_at_threshold(self.id) == self.model.look()

    @rule()
    def turn_by_the_clock(self) -> None:
        account = self.ledger.accounts.account(self.id)
        assert self.ledger.cycles.turn(account) == self.model.turn()

    @rule(
        allotment=st.integers(0, 6),
        anchor_days=st.integers(-400, 400),
        interval=st.sampled_from(Interval),
    )
    def set_cycle(self, allotment: int, anchor_days: int, interval: Interval) -> None:
        anchor_ms = NOON_MS + anchor_days * 86_400_000
        self.ledger.cycles.set_cycle(
            self.id, allotment=allotment, anchor_ms=anchor_ms, interval=interval
        )
        self.model.set_cycle(allotment, anchor_ms, interval)

    @rule(hours=st.sampled_from([0.5, 1, 6, 24, 10 * 24, 31 * 24, 70 * 24]))
    def wait(self, hours: float) -> None:
        self.clock.advance(s=hours * 3600)
        self.model.now_ms = self.clock.now_ms

    # What must hold after every step

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
        assert sum(e.allotment_delta for e in entries) == self.model.allotment
        assert sum(e.purchased_delta for e in entries) == self.model.purchased
        assert (entries[-1].allotment, entries[-1].purchased) == (
            self.model.allotment,
            self.model.purchased,
        )

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
        assert [kind for kind, _ in told] == [kind for kind, _ in self.model.notices]
        for (_, notice), (_, facts) in zip(told, self.model.notices, strict=True):
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

    def _snapshot(self) -> dict[str, object]:
        account = self.ledger.accounts.account(self.id)
        owed = dict(self._owed())
        calls = self._calls()
        incident = self.ledger.accounts.incident(self.id)
        assert (account.incident_id != "") == (
            incident is not None and incident.resolved_at_ms is None
        )
        return {
            "allotment": account.allotment,
            "purchased": account.purchased,
            "standing": account.standing,
            "topoff_id": account.topoff_id,
            "incident": account.incident_id,
            "retry_at_ms": account.retry_at_ms,
            "calls": {sid: (call.verdict, call.state, call.debited) for sid, call in calls.items()},
            "topoffs": {
                topoff_id: self.ledger.topoffs.topoff(topoff_id).state
                for topoff_id in self.model.topoffs
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
        }


@pytest.mark.parametrize("shards", [1, 16])
def test_scripts_agree_with_the_model(valkey: EmbeddedValkey, shards: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"server": valkey, "shards": shards})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
