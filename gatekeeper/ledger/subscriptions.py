"""Subscriptions at Stripe that drive accounts' cycles."""

from __future__ import annotations

from typing import cast

from gatekeeper.ledger.store import Store


class Subscriptions:
    """The verbs on subscriptions. All raise redis.RedisError: the outcome is unknown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def account_of(self, subscription: str) -> str | None:
        """Find the account that a subscription drives; None when it drives none."""
        key = self._store.keys.subscription(subscription)
        return cast(str | None, self._store.client.get(key))
