"""One account of a real ledger, and short words for what happens to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from gatekeeper.domain.account import Account, Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.domain.correction import Reversal
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason
from gatekeeper.domain.money import CreditPrice
from gatekeeper.domain.notice import Notice
from gatekeeper.domain.subscription import (
    Plans,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
    terms_of,
)
from gatekeeper.ledger.calls import Admission, Settlement
from gatekeeper.ledger.checkouts import Credited, PaidPurchase, SavedCard
from gatekeeper.ledger.corrections import Correction, CreditedPayment
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Charge, Failed, Payment, Settled

ACCOUNT_SID = "AC" + "1" * 32
NUMBER = "+15550001111"
PRICE_MINOR = 25
PRICE = CreditPrice(PRICE_MINOR, "usd")
_sids = itertools.count()


class Desk:
    """An account."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.id = new_account_id()

    def open(self, *, allotment: int = 0, purchased: int = 0) -> Desk:
        new = NewAccount(self.id, "Able", "a@example.com", allotment)
        assert self.ledger.accounts.open_account(new)
        if purchased:
            self.ledger.accounts.add_credits(self.id, purchased, reference="start", cause="test")
        return self

    def topoff(
        self,
        *,
        on: bool = True,
        threshold: int = 5,
        amount: int = 20,
        limit: int | None = None,
        cap: int | None = None,
    ) -> Desk:
        settings = TopoffSettings(on, threshold, amount, limit, cap)
        self.ledger.accounts.set_topoff(self.id, settings, price=PRICE)
        return self

    def card(self, payment_method: str = "pm_1") -> Desk:
        self.ledger.accounts.set_card(
            self.id, Card("cus_1", payment_method, "visa", "4242", "12/2031")
        )
        return self

    def subscribed(self, status: SubscriptionStatus, *, by: str = "") -> Desk:
        """Let a subscription to an allotment of three drive it, in the period it is in."""
        own, task = self.account, f"subscription:{self.id}"
        item = SubscriptionItem(
            "price_1", 1, own.interval, own.cycle_start_ms, own.cycle_end_ms or 0
        )
        stands = Subscription("sub_1", status, own.anchor_ms, (item,), False, None)
        terms = terms_of(stands, Plans({"price_1": 3}))
        self.ledger.subscriptions.claim("sub_1", self.id)
        mark = self.ledger.owed.note_owed(self.id, task)
        verbs = self.ledger.subscriptions
        assert verbs.set_subscription(self.id, terms, mark=mark, link=True, by=by)
        return self

    def call(self, call: CallId | None = None) -> Admission:
        return self.ledger.calls.admit_call(self.id, call or new_call(), NUMBER)

    def end(self, call: CallId, end: CallEnd, *, debit_unknown: bool = True) -> Settlement:
        return self.ledger.calls.settle_call(
            self.id, call, NUMBER, end, duration_s=7, debit_unknown=debit_unknown
        )

    def begin(self, topoff_id: str) -> Charge:
        charge, _ = self.ledger.topoffs.begin_charge(
            topoff_id, price_minor=PRICE_MINOR, currency="usd"
        )
        if charge is Charge.CHARGE:
            self.ledger.topoffs.record_intent(topoff_id, f"pi_{topoff_id}")
        return charge

    def succeed(self, topoff_id: str) -> Settled:
        credits = self.ledger.topoffs.topoff(topoff_id).credits
        payment = Payment(f"pi_{topoff_id}", credits * PRICE_MINOR, "usd", "cus_1", "4242")
        return self.ledger.topoffs.settle_topoff(topoff_id, payment, price_minor=PRICE_MINOR)

    def paid_topoff(self) -> str:
        """Let the top-off in flight succeed; returns its id."""
        topoff_id = self.account.topoff_id
        assert self.begin(topoff_id) is Charge.CHARGE
        assert self.succeed(topoff_id) is Settled.SETTLED
        return topoff_id

    @property
    def purchase_id(self) -> str:
        return f"{self.id}-00000000b0b0"

    def buy(
        self, payment_intent: str = "pi_bought", *, card: str = "pm_new", saved_ms: int = 0
    ) -> Credited:
        """Pay for 40 credits; the card is saved at an instant, 0 is not at all."""
        payment = Payment(payment_intent, 40 * PRICE_MINOR, "usd", "cus_1", "1881")
        saved = SavedCard(Card("cus_1", card, "visa", "1881", "01/2032"), saved_ms)
        paid = PaidPurchase(self.purchase_id, 40, payment, card, "", saved if saved_ms else None)
        return self.ledger.checkouts.credit_purchase(paid)

    def correct(self, topoff_id: str, *reversals: Reversal) -> Correction:
        credits = self.ledger.topoffs.topoff(topoff_id).credits
        payment = CreditedPayment(
            topoff_id, f"pi_{topoff_id[-12:]}", credits, credits * PRICE_MINOR, "usd"
        )
        return self.ledger.corrections.correct_payment(self.id, payment, reversals)

    def decline(self, topoff_id: str, *, never_again: bool = False) -> Failed:
        return self.ledger.topoffs.fail_topoff(
            topoff_id,
            payment_intent=f"pi_{topoff_id}",
            reason=FailureReason.DECLINED,
            decline_code="generic_decline",
            card_refused=never_again,
        )

    def break_down(self, topoff_id: str) -> Failed:
        return self.ledger.topoffs.fail_topoff(
            topoff_id,
            payment_intent=f"pi_{topoff_id}",
            reason=FailureReason.INTERNAL_ERROR,
            cool_downs_s=INTERNAL_ERROR_COOL_DOWNS_S,
        )

    def failed_topoff(self, fail: Callable[[str], Failed]) -> str:
        """Let the top-off in flight fail; returns its id."""
        topoff_id = self.account.topoff_id
        assert self.begin(topoff_id) is Charge.CHARGE
        assert fail(topoff_id) is Failed.FAILED
        return topoff_id

    @property
    def account(self) -> Account:
        return self.ledger.accounts.account(self.id)

    @property
    def mail(self) -> list[str]:
        """The kinds of the e-mails owed, oldest first."""
        return [task.split(":")[1] for task in self._emails()]

    @property
    def notices(self) -> list[Notice]:
        """What the e-mails owed say, oldest first."""
        found = (self.ledger.topoffs.notice(task.split(":")[2]) for task in self._emails())
        return [notice for notice in found if notice is not None]

    def _emails(self) -> list[str]:
        shard = self.ledger.keys.shard_of(self.id)
        return [task for task, _ in self.ledger.owed.tasks(shard) if task.startswith("email:")]


def new_call() -> CallId:
    return CallId(ACCOUNT_SID, f"CA{next(_sids):032x}")
