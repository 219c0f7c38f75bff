"""Accounts as customers at Stripe, and what becomes of their cards there."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

from gatekeeper.domain.account import Card
from gatekeeper.ledger.store import Store


class Followed(StrEnum):
    """What reading a saved card from Stripe came to."""

    UPDATED = "updated"
    SAME = "same"
    REMOVED = "removed"
    ANOTHER = "another"  # the account's card is another by now, or none
    SUPERSEDED = "superseded"  # there was news since Stripe was asked


def index_customer(store: Store, customer: str, account_id: str) -> None:
    """Note where Stripe's news of a customer are to be looked for, before the account is one."""
    store.client.hset(store.keys.customers(customer), f"{customer} {account_id}", "")


class Customers:
    """The verbs on customers and their cards. All raise redis.RedisError: the outcome is unknown.

    Which accounts a customer may be is noted outside of their shards, before they are. A note that
    leads to an account which is another customer changes nothing there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_account(self, account_id: str) -> str:
        """Read which customer at Stripe the account is; "" when it is none yet."""
        profile = self._store.keys.of_account(account_id).profile
        return cast(str | None, self._store.client.hget(profile, "customer")) or ""

    def accounts_of(self, customer: str) -> list[str]:
        """Find the accounts that may be a customer, in no order; they may be another by now."""
        notes = cast(list[str], self._store.client.hkeys(self._store.keys.customers(customer)))
        return [note.partition(" ")[2] for note in notes if note.startswith(f"{customer} ")]

    def keep(self, account_id: str, customer: str) -> str:
        """Note which customer the account is, if it was none; returns the one that counts."""
        index_customer(self._store, customer, account_id)
        profile = self._store.keys.of_account(account_id).profile
        self._store.client.hsetnx(profile, "customer", customer)
        return self.of_account(account_id)

    def forget(self, account_id: str, customer: str) -> bool:
        """Note that the account's customer, and its card with it, were deleted at Stripe.

        False when the account is another customer, and nothing changed. Raises UnknownAccount.
        """
        reply = self._store.run("forget_customer", account_id, customer)
        self._store.client.hdel(self._store.keys.customers(customer), f"{customer} {account_id}")
        return bool(reply[0] == "forgotten")

    def before(self, account_id: str) -> str:
        """Read which customer was the last to be forgotten; "" when none was."""
        profile = self._store.keys.of_account(account_id).profile
        return cast(str | None, self._store.client.hget(profile, "customer_before")) or ""

    def follow_card(
        self, account_id: str, payment_method: str, card: Card | None, *, mark: int
    ) -> Followed:
        """Make the account's card follow what Stripe says of it; None is that it is gone.

        `mark` is that under which the reading was owed as Stripe was asked. A card whose number or
        expiry changed may be tried again although its issuer refused it for good; nothing else
        follows from it. Raises UnknownAccount.
        """
        now = ("", "", "") if card is None else (card.brand, card.last4, card.expiry)
        return Followed(self._store.run("follow_card", account_id, mark, payment_method, *now)[0])
