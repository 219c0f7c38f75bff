"""Accounts: opened, changed, credited and corrected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import cast

from gatekeeper.domain.account import (
    DEFAULT_TOPOFF,
    MAX_CREDITS,
    Account,
    Card,
    NewAccount,
    TopoffSettings,
)
from gatekeeper.domain.change import write_detail
from gatekeeper.domain.cycle import period_of
from gatekeeper.domain.email_address import normalize_email
from gatekeeper.domain.incident import Incident
from gatekeeper.domain.money import CreditPrice
from gatekeeper.ledger.customers import index_customer
from gatekeeper.ledger.errors import CreditsRefused, SettingsChanged, UnknownAccount
from gatekeeper.ledger.records import queue_account, read_account, read_incident
from gatekeeper.ledger.store import Store


class Accounts:
    """The verbs on accounts.

    `by` is who makes a change by hand, "" when the system does: it stands in the log with what was
    changed (see domain/change.py), unless nothing is other than it was. Those that are given an
    `account_id` raise UnknownAccount, but for `incident`, which then finds none. All raise
    redis.RedisError: the outcome is unknown.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def open_account(self, new: NewAccount, *, by: str = "") -> bool:
        """Open an account; False when it was open already, and nothing changed.

        Its e-mail address is its first owner (see members.py).
        """
        email = self._indexed(new.email, new.id)
        now_ms = self._store.clock()
        anchor_ms = now_ms if new.anchor_ms is None else new.anchor_ms
        period = period_of(anchor_ms, new.interval, now_ms)
        reply = self._store.run(
            "open_account",
            new.id,
            new.name,
            email,
            new.timezone,
            new.allotment,
            anchor_ms,
            new.interval,
            period.start_ms,
            period.end_ms,
            DEFAULT_TOPOFF.threshold,
            DEFAULT_TOPOFF.amount,
            write_detail(by, name=new.name, email=email, timezone=new.timezone),
            keys=(self._store.keys.accounts(self._store.keys.shard_of(new.id)),),
        )
        return bool(reply[0] == "opened")

    def account(self, account_id: str) -> Account:
        """Read an account as it is at one instant."""
        own = self._store.keys.of_account(account_id)
        pipeline = self._store.client.pipeline(transaction=True)
        queue_account(pipeline, own)
        found = read_account(account_id, pipeline.execute())
        if found is None:
            raise UnknownAccount(account_id)
        return found

    def ids(self) -> Iterator[str]:
        """Yield the id of every account, in no order."""
        for shard in range(self._store.keys.shards):
            yield from self._store.client.sscan_iter(self._store.keys.accounts(shard))

    def update_account(
        self, account_id: str, *, by: str = "", price: CreditPrice | None = None, **fields: str
    ) -> None:
        """Change name, email, timezone, route, drop_message, price_minor, suspended ("1").

        An empty value removes the field. Values are checked by the caller. A new e-mail address is
        an owner from then on, and the one before no member any more, unless it is added again.
        `price` is the default one of a credit: `price_minor` needs it where the account has a
        spending cap.
        """
        if "email" in fields:
            fields["email"] = self._indexed(fields["email"], account_id)
        pairs = [text for pair in fields.items() for text in pair]
        own = self._store.keys.of_account(account_id)
        keys = (own.route, own.drop_message, own.members)
        default = _price_of(price)
        self._store.run("update_account", account_id, by, *default, *pairs, keys=keys)

    def _indexed(self, email: str, account_id: str) -> str:
        """Write an account's address as members are known by, and first where they look for it."""
        normal = normalize_email(email)
        self._store.client.sadd(self._store.keys.person(normal), account_id)
        return normal

    def set_topoff(
        self,
        account_id: str,
        settings: TopoffSettings,
        *,
        price: CreditPrice | None = None,
        instead_of: TopoffSettings | None = None,
        by: str = "",
    ) -> str:
        """Set automatic top-offs; returns the id of the one now in flight, or "".

        `price` is the default one of a credit: with a spending cap it must be given. `instead_of`
        is what the settings were made from: without it a change made meanwhile would be undone, as
        that of a refund which switched them off. Raises SettingsChanged.
        """
        has_cap = settings.spending_cap_minor is not None
        if has_cap and price is None:
            raise ValueError("whether a spending cap is reached depends on the price of a credit")
        reply = self._store.run(
            "set_topoff",
            account_id,
            write_detail(by, **asdict(settings)),
            *_fields_of(settings),
            *_price_of(price),
            *(self._bounds(account_id) if has_cap else ("", "")),
            *(_fields_of(instead_of) if instead_of else ()),
        )
        if reply[0] == "changed":
            raise SettingsChanged(account_id)
        return cast(str, reply[1])

    def _bounds(self, account_id: str) -> tuple[int, int]:
        period = self._store.period_now(account_id)
        return period.start_ms, period.end_ms

    def set_card(self, account_id: str, card: Card, *, by: str = "") -> str:
        """Attach a card; returns the id of the top-off now in flight, or ""."""
        index_customer(self._store, card.customer, account_id)
        reply = self._store.run(
            "set_card",
            account_id,
            card.customer,
            card.payment_method,
            card.brand,
            card.last4,
            card.expiry,
            "",
            by,
        )
        return cast(str, reply[1])

    def remove_card(self, account_id: str, payment_method: str = "", *, by: str = "") -> bool:
        """Take the account's card away; with a payment method only if it is that one.

        False when it was another, and nothing changed.
        """
        reply = self._store.run("set_card", account_id, "", "", "", "", "", payment_method, by)
        return bool(reply[0] == "set")

    def incident(self, account_id: str) -> Incident | None:
        """Read the account's newest incident, resolved or not."""
        fields = self._store.client.hgetall(self._store.keys.of_account(account_id).incident)
        return read_incident(cast(dict[str, str], fields)) if fields else None

    def add_credits(
        self, account_id: str, credits: int, *, reference: str, cause: str, by: str = ""
    ) -> bool:
        """Add purchased credits once for each reference; False when they were added before.

        Raises CreditsRefused when the reference was used for another
        change, or the balance would be absurd.
        """
        return self._correct("add_credits", "added", account_id, credits, reference, cause, by)

    def remove_credits(
        self, account_id: str, credits: int, *, reference: str, cause: str, by: str = ""
    ) -> bool:
        """Take purchased credits away, once for each reference; False when done before.

        Raises CreditsRefused also when there are not that many.
        """
        return self._correct("remove_credits", "removed", account_id, credits, reference, cause, by)

    def _correct(
        self,
        verb: str,
        done: str,
        account_id: str,
        credits: int,
        reference: str,
        cause: str,
        by: str,
    ) -> bool:
        key = self._store.keys.of_account(account_id).payment(reference)
        status, _, purchased = self._store.run(
            verb, account_id, credits, reference, cause, by, keys=(key,)
        )
        if status == "conflict":
            raise CreditsRefused(f"reference {reference} was used before for another change")
        if status == "too_much":
            most = MAX_CREDITS - purchased if done == "added" else max(0, purchased)
            raise CreditsRefused(f"only {most:,} purchased credits can be {done}")
        return bool(status == done)


def _fields_of(settings: TopoffSettings) -> tuple[str | int, ...]:
    limit, cap_minor = settings.overdraft_limit, settings.spending_cap_minor
    return (
        int(settings.enabled),
        settings.threshold,
        settings.amount,
        "" if limit is None else limit,
        "" if cap_minor is None else cap_minor,
    )


def _price_of(default: CreditPrice | None) -> tuple[str | int, ...]:
    return ("", "") if default is None else (default.minor, default.currency)
