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
from gatekeeper.domain.checkout import CheckoutState
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason
from gatekeeper.domain.notice import KIND_OF_NOTICE
from gatekeeper.domain.subscription import Plans, SubscriptionStatus, SubscriptionTerms
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.checkouts import NewCheckout, PaidPurchase, SavedCard
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.errors import (
    CorrectionRefused,
    DrivenBySubscription,
    LedgerRefusal,
    PaymentMismatch,
    UnknownTopoff,
)
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import read_call
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.model import PEOPLE, Model

ACCOUNT_SID = "AC" + "5" * 32
NUMBER = "+15550001111"
DAY_MS = 86_400_000
PRICE_MINOR = 25

call_sids = st.integers(0, 7).map(lambda n: f"CA{n:032x}")
visits = st.integers(0, 40).map(lambda n: f"{n:012x}")
new_call_sids = st.integers(8, 10_000).map(lambda n: f"CA{n:032x}")
people = st.sampled_from(PEOPLE)
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


def _refund(name: str, rank: int, amount_minor: int) -> Reversal:
    return Reversal(f"re_{name}", CorrectionCause.REFUND, rank, amount_minor, rank == 1)


def _dispute(rank: int, amount_minor: int) -> Reversal:
    return Reversal("du_a", CorrectionCause.DISPUTE, rank, amount_minor, rank % 2 == 1)


#: Of a payment of 125 to 200 cents; readings of one may come in any order, older ones last.
amounts_minor = st.sampled_from([1, 24, 25, 60, 200])
readings = st.lists(
    st.builds(_refund, st.sampled_from("abc"), st.integers(0, 2), amounts_minor)
    | st.builds(_dispute, st.integers(0, 3), amounts_minor),
    max_size=5,
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

    # Visits to Checkout

    @rule(visit=visits, credits=st.integers(1, 5))
    def open_checkout(self, visit: str, credits: int) -> None:
        checkout_id = f"{self.id}-{visit}"
        new = NewCheckout(checkout_id, "cs_1", "cus_1", credits, credits * PRICE_MINOR, "usd")
        real = self.ledger.checkouts.open_checkout(new, look_at_ms=self.clock() + 600_000)
        assert real == self.model.open_checkout(checkout_id, (credits, credits * PRICE_MINOR))

    @rule(
        visit=visits,
        credits=st.none() | st.integers(1, 5),
        payment_intent=st.sampled_from(["pi_one", "pi_one", "pi_two"]),
        payment_method=cards,
        saved_hours_ago=st.none() | st.integers(0, 3),
    )
    def credit_purchase(
        self,
        visit: str,
        credits: int | None,
        payment_intent: str,
        payment_method: str,
        saved_hours_ago: int | None,
    ) -> None:
        """Pay for what was asked, or for something else."""
        checkout_id = f"{self.id}-{visit}"
        known = self.model.checkouts.get(checkout_id)
        asked = known.started_with if known else None
        paid = (credits, credits * PRICE_MINOR) if credits else asked or (3, 3 * PRICE_MINOR)
        saved = None if saved_hours_ago is None else self._saved(payment_method, saved_hours_ago)
        at_ms = saved.at_ms if saved else 0
        args = (paid, payment_intent, payment_method, at_ms)
        expected = self.model.credit_purchase(checkout_id, *args)
        payment = Payment(payment_intent, paid[1], "usd", "cus_1", "4242")
        purchase = PaidPurchase(checkout_id, paid[0], payment, payment_method, "", saved)
        try:
            assert self.ledger.checkouts.credit_purchase(purchase) == expected
        except PaymentMismatch:
            assert expected == "mismatch"

    @rule(visit=visits, payment_method=cards, hours_ago=st.integers(0, 3))
    def save_card(self, visit: str, payment_method: str, hours_ago: int) -> None:
        checkout_id, saved = f"{self.id}-5e7{visit[3:]}", self._saved(payment_method, hours_ago)
        real = self.ledger.checkouts.save_card(checkout_id, saved)
        assert real == self.model.save_card(checkout_id, payment_method, saved.at_ms)

    def _saved(self, payment_method: str, hours_ago: int) -> SavedCard:
        card = Card("cus_1", payment_method, "visa", "4242", "12/2031")
        return SavedCard(card, self.clock() - hours_ago * 3_600_000)

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

    @precondition(lambda self: self.model.topoffs)
    @rule(data=st.data(), told=readings)
    def correct_payment(self, data: st.DataObject, told: list[Reversal]) -> None:
        self._correct(data.draw(st.sampled_from(self._topoff_ids())), told)

    def _correct(self, topoff_id: str, told: list[Reversal]) -> None:
        credits = self.model.topoffs[topoff_id].credits
        amount_minor = credits * PRICE_MINOR
        payment = CreditedPayment(
            topoff_id, f"pi_first_{topoff_id[-12:]}", credits, amount_minor, "usd"
        )
        real = self.ledger.corrections.correct_payment(self.id, payment, told)
        expected = self.model.correct_payment(topoff_id, amount_minor, told)
        assert (real.outcome, real.credits) == expected
        assert real.balance == self.model.balance

    @precondition(lambda self: self.model.topoff_id)
    @rule(payment_method=cards, told=readings)
    def charge_and_claw_back(self, payment_method: str, told: list[Reversal]) -> None:
        """Correct a payment that was credited: few random ones are."""
        topoff_id = self.model.topoff_id
        self.charge_to_the_end(payment_method, None)
        self.owed_mail_is_what_happened()
        self._correct(topoff_id, told)
        self._correct(topoff_id, told)

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

    @precondition(lambda self: self.model.incident_id)
    @rule(email=people)
    def dismiss(self, email: str) -> None:
        real = self.ledger.incidents.dismiss_incident(self.model.incident_id, email)
        assert real == self.model.dismiss(email)

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
        anchor_ms = NOON_MS + anchor_days * DAY_MS
        refusal = pytest.raises(DrivenBySubscription)
        with (
            contextlib.nullcontext()
            if self.model.set_cycle(allotment, anchor_ms, interval)
            else refusal
        ):
            self.ledger.cycles.set_cycle(
                self.id, allotment=allotment, anchor_ms=anchor_ms, interval=interval
            )

    @rule(
        status=st.sampled_from(SubscriptionStatus) | st.just(SubscriptionStatus.ACTIVE),
        start=st.sampled_from(["same", "earlier", "now"]),
        days=st.integers(-3, 40),
        anchor_days=st.integers(-400, 40),
        allotments=st.tuples(st.integers(0, 6), st.integers(0, 6)),
        link=st.booleans(),
        name=st.sampled_from(["sub_a", "sub_a", "sub_b"]),
    )
    def read_subscription(
        self,
        status: SubscriptionStatus,
        start: str,
        days: int,
        anchor_days: int,
        allotments: tuple[int, int],
        link: bool,
        name: str,
    ) -> None:
        entitled = Plans({}).entitles(status)
        old_ms, now_ms = self.model.cycle_start_ms, self.clock()
        start_ms = {"same": old_ms, "earlier": old_ms - DAY_MS, "now": now_ms}[start]
        terms = SubscriptionTerms(
            id=name,
            status=status,
            anchor_ms=NOON_MS + anchor_days * DAY_MS,
            interval=Interval.MONTHLY,
            start_ms=start_ms,
            end_ms=max(start_ms, now_ms + days * DAY_MS) if status.has_periods else None,
            allotment=allotments[0] if entitled else 0,
            next_allotment=allotments[1] if entitled else 0,
            entitled=entitled,
        )
        subscriptions, task = self.ledger.subscriptions, f"subscription:{self.id}"
        since_ms = self.ledger.owed.note_owed(self.id, task)
        assert not subscriptions.set_subscription(self.id, terms, since_ms=since_ms - 1, link=link)
        real = subscriptions.set_subscription(self.id, terms, since_ms=since_ms, link=link)
        assert real == self.model.set_subscription(terms, link)

    @rule()
    def unlink_subscription(self) -> None:
        driver = self.model.subscription or "sub_a"
        refusal = pytest.raises(LedgerRefusal)
        with contextlib.nullcontext() if self.model.unlink_subscription() else refusal:
            self.ledger.subscriptions.unlink_subscription(self.id, driver)

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
            "subscription": (account.subscription, f"subscription:{self.id}" in owed),
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
