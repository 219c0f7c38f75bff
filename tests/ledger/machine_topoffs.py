"""Top-offs, incidents and corrections of payments in random histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)

from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason
from gatekeeper.domain.topoff import TopoffState
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.errors import (
    PaymentMismatch,
    UnknownTopoff,
)
from gatekeeper.ledger.topoffs import Payment
from tests.ledger.machine_accounts import AccountRules, cards
from tests.ledger.model import PEOPLE
from tests.ledger.model_state import PRICE_MINOR

people = st.sampled_from(PEOPLE)
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


class TopoffRules(AccountRules):
    """The verbs on top-offs."""

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
            assert topoff.amount_minor == self.model.topoffs[topoff_id].amount_minor
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
            "amount_minor": model.amount_minor,
            "currency": "usd",
            "customer": "cus_1",
        }
        if wrong:
            self.model.turn_if_over()
            facts[wrong] = 1 if wrong == "amount_minor" else "eur"
        expected = "mismatch" if wrong else ""
        expected = expected or self.model.settle_topoff(topoff_id, facts["payment_intent"])
        try:
            real = self.ledger.topoffs.settle_topoff(
                topoff_id, Payment(card_last4="4242", **facts), price_minor=PRICE_MINOR
            )
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
        amount_minor = self.model.topoffs[topoff_id].amount_minor
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

    @precondition(
        lambda self: self.model.incident_open and not self.model.topoff_id and not self.model.capped
    )
    @rule(failure=st.none() | failures)
    def retry_and_charge(self, failure: tuple[FailureReason, bool, tuple[int, ...]] | None) -> None:
        self.retry(current=True)
        self._take_over_request()
        self.charge_to_the_end("pm_one", failure)

    @rule()
    def look(self) -> None:
        assert self.ledger.topoffs.look_at_threshold(self.id) == self.model.look()
