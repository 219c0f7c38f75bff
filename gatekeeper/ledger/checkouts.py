"""Visits to Stripe Checkout: purchases of credits, and cards saved for top-offs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from gatekeeper.domain.account import Card
from gatekeeper.domain.checkout import Checkout, CheckoutMode
from gatekeeper.ledger.customers import index_customer
from gatekeeper.ledger.errors import PaymentMismatch
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.records import read_checkout
from gatekeeper.ledger.store import Store
from gatekeeper.ledger.topoffs import Payment


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """A visit that begins. `amount_minor` in minor units of `currency`; all None for a card.

    `by` is who begins it: what comes of it is then done by them.
    """

    id: str
    session: str
    customer: str
    credits: int | None = None
    amount_minor: int | None = None
    currency: str | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A card that a person chose to save for top-offs, and when they did, by Stripe's clock."""

    card: Card
    at_ms: int


@dataclass(frozen=True, slots=True)
class PaidPurchase:
    """A purchase as Stripe reports it paid.

    `payment_method` is "" when Stripe did not say, `saved` None unless the person chose that.
    """

    id: str
    credits: int
    payment: Payment
    payment_method: str
    receipt_url: str
    saved: SavedCard | None


class Noted(StrEnum):
    """What news of a visit came to."""

    OWED = "owed"
    FINISHED = "finished"  # known before
    UNKNOWN = "unknown"  # neither the ledger nor the news say what to look into


class Credited(StrEnum):
    """What reporting a payment came to."""

    CREDITED = "credited"
    REPEATED = "repeated"


class CardSaved(StrEnum):
    """What reporting a saved card came to."""

    ATTACHED = "attached"
    SUPERSEDED = "superseded"  # by a newer card, or none; or who saved it may no longer pay
    REPEATED = "repeated"


class Checkouts:
    """The verbs on visits to Checkout, whose ids are `<account>-<token>`.

    Those that write news down raise UnknownAccount. All raise redis.RedisError: the outcome is
    unknown.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, checkout_id: str) -> Checkout | None:
        """Read a visit; None when it came to nothing, or is no longer kept."""
        fields = self._store.client.hgetall(self._key(checkout_id))
        return read_checkout(checkout_id, cast(dict[str, str], fields)) if fields else None

    def open_checkout(self, new: NewCheckout, *, look_at_ms: int) -> bool:
        """Write a visit down before the person is sent there; False when it was before.

        It is looked into at `look_at_ms`, should no news of it come.
        """
        is_purchase = new.credits is not None
        status, *_ = self._store.run(
            "open_checkout",
            account_of(new.id),
            new.id,
            CheckoutMode.PAYMENT if is_purchase else CheckoutMode.SETUP,
            new.session,
            new.customer,
            "" if new.credits is None else new.credits,
            "" if new.amount_minor is None else new.amount_minor,
            new.currency or "",
            look_at_ms,
            new.by,
            keys=(self._key(new.id),),
        )
        return bool(status == "opened")

    def note_checkout(
        self, checkout_id: str, mode: CheckoutMode, *, session: str = "", payment_intent: str = ""
    ) -> Noted:
        """Write down that there may be news of a visit, to be looked into now.

        The page that a person comes back to may do so too: it then need not wait for Stripe's news.
        """
        reply = self._store.run(
            "note_checkout",
            account_of(checkout_id),
            checkout_id,
            mode,
            session,
            payment_intent,
            keys=(self._key(checkout_id),),
        )
        return Noted(reply[0])

    def credit_purchase(self, paid: PaidPurchase) -> Credited:
        """Credit a purchase that was paid, exactly once (R7). Raises PaymentMismatch."""
        payment, saved = paid.payment, paid.saved
        if saved is not None:
            index_customer(self._store, saved.card.customer, account_of(paid.id))
        kept = ("", "", "") if saved is None else (saved.at_ms, saved.card.brand, saved.card.expiry)
        status, *_ = self._store.run(
            "credit_purchase",
            account_of(paid.id),
            paid.id,
            paid.credits,
            payment.payment_intent,
            payment.amount_minor,
            payment.currency,
            payment.customer,
            payment.card_last4,
            paid.receipt_url,
            paid.payment_method,
            *kept,
            keys=(self._key(paid.id), self._members(account_of(paid.id))),
        )
        if status == "mismatch":
            raise PaymentMismatch(f"{payment.payment_intent} does not fit purchase {paid.id}")
        return Credited(status)

    def save_card(self, checkout_id: str, saved: SavedCard) -> CardSaved:
        """Make the card of a visit the account's, once, unless it has a newer one.

        Nor does it where who began the visit is no owner any more, and not an admin.

        Raises PaymentMismatch when the card is another customer's.
        """
        card = saved.card
        index_customer(self._store, card.customer, account_of(checkout_id))
        status, *_ = self._store.run(
            "save_card",
            account_of(checkout_id),
            checkout_id,
            card.customer,
            card.payment_method,
            card.brand,
            card.last4,
            card.expiry,
            saved.at_ms,
            keys=(self._key(checkout_id), self._members(account_of(checkout_id))),
        )
        if status == "mismatch":
            raise PaymentMismatch(f"the card saved in {checkout_id} is another customer's")
        return CardSaved(status)

    def forget(self, checkout_id: str) -> None:
        """Drop the record of a visit that came to nothing."""
        self._store.client.delete(self._key(checkout_id))

    def _key(self, checkout_id: str) -> str:
        return self._store.keys.of_account(account_of(checkout_id)).checkout(checkout_id)

    def _members(self, account_id: str) -> str:
        return self._store.keys.of_account(account_id).members
