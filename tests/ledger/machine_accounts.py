"""Settings, cards, credits by hand and visits to Checkout in random histories."""

from __future__ import annotations

import contextlib

from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
)

from gatekeeper.domain.account import (
    Card,
    InvalidSettings,
    TopoffSettings,
)
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.jobs import card_task
from gatekeeper.ledger.checkouts import NewCheckout, PaidPurchase, SavedCard
from gatekeeper.ledger.customers import Followed
from gatekeeper.ledger.errors import (
    CreditsRefused,
    PaymentMismatch,
)
from gatekeeper.ledger.topoffs import Payment
from tests.ledger.machine import PRICE, Machine
from tests.ledger.model_state import CARD_EXPIRY, PRICE_MINOR

visits = st.integers(0, 40).map(lambda n: f"{n:012x}")
cards = st.sampled_from(["pm_one", "pm_two", "pm_three"])
topoff_settings = st.builds(
    TopoffSettings,
    enabled=st.booleans() | st.just(True),
    threshold=st.integers(0, 4),
    amount=st.integers(5, 8),
    overdraft_limit=st.none() | st.integers(0, 3),
    spending_cap_minor=st.none() | st.sampled_from([150, 200, 400]),
)
#: Below what one top-off costs: reached at once.
CAPPED = TopoffSettings(True, 4, 8, None, 150)


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


class AccountRules(Machine):
    """The verbs on accounts."""

    @rule(chosen=topoff_settings | topoff_settings | st.just(CAPPED))
    def set_topoff(self, chosen: TopoffSettings) -> None:
        with contextlib.suppress(InvalidSettings):
            chosen.check(PRICE_MINOR)
        self.ledger.accounts.set_topoff(self.id, chosen, price=PRICE)
        self.model.set_topoff(chosen)

    @rule(payment_method=cards)
    def set_card(self, payment_method: str) -> None:
        card = Card("cus_1", payment_method, "visa", "4242", CARD_EXPIRY)
        self.ledger.accounts.set_card(self.id, card)
        self.model.set_card(payment_method)

    @rule()
    def remove_card(self) -> None:
        self.ledger.accounts.remove_card(self.id)
        self.model.set_card("")

    @rule(price_minor=st.sampled_from([None, 20, 40]))
    def set_price(self, price_minor: int | None) -> None:
        value = "" if price_minor is None else str(price_minor)
        self.ledger.accounts.update_account(self.id, price=PRICE, price_minor=value)
        self.model.set_price(price_minor)

    @rule(payment_method=cards, expiry=st.sampled_from(["", CARD_EXPIRY, "01/2040"]))
    def follow_card(self, payment_method: str, expiry: str) -> None:
        """Hear from Stripe of a card; without an expiry it is gone."""
        card = Card("cus_1", payment_method, "visa", "4242", expiry) if expiry else None
        task, customers = card_task(self.id), self.ledger.customers
        stale = self.ledger.owed.note_owed(self.id, task)
        mark = self.ledger.owed.note_owed(self.id, task)
        late = customers.follow_card(self.id, payment_method, card, mark=stale)
        assert late is Followed.SUPERSEDED
        real = customers.follow_card(self.id, payment_method, card, mark=mark)
        assert real == self.model.follow_card(payment_method, expiry)
        assert self.ledger.owed.strike_owed(self.id, task, mark=mark)

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
        except CreditsRefused:
            assert expected in ("conflict", "too_much")

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
        card = Card("cus_1", payment_method, "visa", "4242", CARD_EXPIRY)
        return SavedCard(card, self.clock() - hours_ago * 3_600_000)
