"""Subscriptions at Stripe that drive accounts' cycles (R4)."""

from __future__ import annotations

from typing import Final, cast

from gatekeeper.domain.change import write_detail
from gatekeeper.domain.cycle import period_of
from gatekeeper.domain.subscription import SubscriptionTerms
from gatekeeper.ledger.errors import LedgerRefusal, SubscriptionTaken
from gatekeeper.ledger.store import Store

#: A claim that nothing came of, because whoever made it died, ends by itself.
CLAIM_S: Final = 60


class Subscriptions:
    """The verbs on subscriptions. All raise redis.RedisError: the outcome is unknown.

    Which account a subscription drives is noted outside of the account's shard. The note is
    claimed before the account is linked, and stays once it is; a note that leads to an account
    which is not linked changes nothing there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def account_of(self, subscription: str) -> str | None:
        """Find the account that a subscription drives; None when it drives none."""
        key = self._store.keys.subscription(subscription)
        return cast(str | None, self._store.client.get(key))

    def claim(self, subscription: str, account_id: str) -> None:
        """Keep a subscription for an account for `CLAIM_S`, or longer if it drives it already.

        Raises SubscriptionTaken.
        """
        key = self._store.keys.subscription(subscription)
        owner = self._store.client.set(key, account_id, nx=True, get=True, ex=CLAIM_S)
        if owner not in (None, account_id):
            raise SubscriptionTaken(subscription, cast(str, owner))

    def set_subscription(
        self,
        account_id: str,
        terms: SubscriptionTerms,
        *,
        mark: int,
        link: bool = False,
        by: str = "",
    ) -> bool:
        """Apply how the subscription that drives an account stands, and strike its reading off.

        `mark` is that under which it was owed as Stripe was asked. False, and nothing changed, when
        it is owed under another, for then there are news; or when the subscription does not
        drive the account, unless `link` lets it, from now on; one more reading is then owed. The
        subscription must have been claimed. `by` is who links it. Raises UnknownAccount.
        """
        status, *_ = self._store.run(
            "set_subscription",
            account_id,
            mark,
            int(link),
            terms.id,
            terms.status,
            terms.anchor_ms,
            terms.interval,
            terms.start_ms,
            "" if terms.end_ms is None else terms.end_ms,
            terms.allotment,
            terms.next_allotment,
            int(terms.entitled),
            write_detail(by),
            period_of(terms.anchor_ms, terms.interval, self._store.clock()).end_ms,
        )
        if status != "set":
            return False
        self._store.client.persist(self._store.keys.subscription(terms.id))
        return True

    def unlink_subscription(self, account_id: str, subscription: str, *, by: str = "") -> None:
        """Let a subscription drive an account no more; its cycle goes on with what it has.

        `by` is who unlinks it. Raises UnknownAccount, and LedgerRefusal when the subscription does
        not drive it.
        """
        key = self._store.keys.subscription(subscription)
        is_noted = self.account_of(subscription) == account_id
        if is_noted:
            self._store.client.expire(key, CLAIM_S)  # should this not get to the end
        reply = self._store.run("unlink_subscription", account_id, subscription, write_detail(by))
        if reply[0] != "unlinked":
            raise LedgerRefusal(f"{subscription} does not drive {account_id}")
        if is_noted:
            self._store.client.delete(key)
