"""Phone numbers: which account each belongs to, and where its calls go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from gatekeeper.domain.change import Change, write_detail
from gatekeeper.ledger.errors import LedgerRefusal, NumberResting, NumberTaken, UnknownAccount
from gatekeeper.ledger.store import Store

#: A released number rests so long before another account can have it. By then every web process
#: has forgotten whose it was, so no call is ever taken for both accounts.
HANDOVER_S: Final = 15


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """A number's account ("" = nobody's), its own route ("" = the account's), its past.

    `changed_at_ms` is when it last changed hands, `previous` whose it was before.
    """

    account_id: str
    route: str
    previous: str
    changed_at_ms: int


class Numbers:
    """The verbs on phone numbers. Raise redis.RedisError.

    `by` is who makes a change. A number lies apart from its account, so the account's log is told
    after it: should the process die in between, making the same change again tells it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, number: str) -> NumberRecord | None:
        """Look a number up; None when it was never assigned."""
        found = self._store.client.hgetall(self._store.keys.number(number))
        if not found:
            return None
        fields = cast(dict[str, str], found)
        return NumberRecord(
            account_id=fields["account"],
            route=fields["route"],
            previous=fields.get("previous", ""),
            changed_at_ms=int(fields["changed_at_ms"]),
        )

    def assign_number(self, number: str, account_id: str, route: str = "", *, by: str = "") -> bool:
        """Assign a number, or change its route; False when nothing changed.

        The index by account is written first: a number is never assigned without standing in it,
        and one that stands in it without being assigned is passed over. Raises UnknownAccount
        (accounts are never deleted, so looking first is safe), NumberTaken, NumberResting.
        """
        own = self._store.keys.of_account(account_id)
        if not self._store.client.exists(own.account):
            raise UnknownAccount(account_id)
        self._store.client.sadd(own.numbers, number)
        status, owner = self._store.scripts.run(
            "assign_number",
            [self._store.keys.number(number)],
            [account_id, self._store.clock(), route, HANDOVER_S * 1000],
        )
        if status == "resting":
            raise NumberResting(number, int(owner) / 1000)
        if status == "taken":
            raise NumberTaken(number, owner)
        if status == "unchanged":
            return False
        detail = write_detail(by, route=bool(route))
        self._tell(account_id, number, Change.NUMBER_ASSIGNED, detail)
        return True

    def release_number(self, number: str, account_id: str, *, by: str = "") -> None:
        """Take a number away. Raises LedgerRefusal when it is not this account's."""
        status, _ = self._store.scripts.run(
            "release_number",
            [self._store.keys.number(number)],
            [self._store.clock(), account_id],
        )
        if status != "released":
            raise LedgerRefusal(f"{number} does not belong to {account_id}")
        self._store.client.srem(self._store.keys.of_account(account_id).numbers, number)
        self._tell(account_id, number, Change.NUMBER_RELEASED, write_detail(by))

    def _tell(self, account_id: str, number: str, change: Change, detail: str) -> None:
        self._store.run("tell_of_number", account_id, number, change, detail)
        self._store.client.hdel(self._store.keys.number(number), "untold")

    def of_account(self, account_id: str) -> dict[str, NumberRecord]:
        """List an account's numbers, sorted."""
        index = self._store.keys.of_account(account_id).numbers
        numbers = sorted(cast(set[str], self._store.client.smembers(index)))
        records = ((number, self.find(number)) for number in numbers)
        return {
            number: record
            for number, record in records
            if record is not None and record.account_id == account_id
        }
