"""Calls: decided once, settled once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from gatekeeper.domain.call import CallEnd, CallId, CallRecord, Decision, Direction, Verdict
from gatekeeper.ledger.keys import CALL_KEPT_S
from gatekeeper.ledger.records import read_call, read_verdict
from gatekeeper.ledger.store import Store

_SCAN_COUNT: Final = 10_000
#: How entries say which way a call goes: nearly all of them are of calls that come in.
_UNLESS_INBOUND: Final = {Direction.INBOUND: "", Direction.OUTBOUND: Direction.OUTBOUND.value}


@dataclass(frozen=True, slots=True)
class Admission:
    """A decision. The buckets are as they stand after it; negative purchased is overdraft.

    `route` and `drop_message` are the account's own, "" where it has none.
    """

    repeated: bool
    verdict: Verdict
    allotment: int
    purchased: int
    route: str
    drop_message: str

    @property
    def balance(self) -> int:
        """Both buckets together."""
        return self.allotment + self.purchased


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A call with whose it is."""

    account_id: str
    call: CallId
    record: CallRecord


class Settlement(StrEnum):
    """What a call's end changed."""

    KEPT = "kept"
    RELEASED = "released"
    CLOSED = "closed"
    DEBITED = "debited"
    REPEATED = "repeated"


class Told(StrEnum):
    """What recording an offline decision changed (see lua/account/admit_offline.lua)."""

    RECORDED = "recorded"
    DEBITED = "debited"
    AGREED = "agreed"
    ANSWERED = "answered"
    RELEASED = "released"


class Calls:
    """The verbs on calls."""

    def __init__(self, store: Store, kept_s: int = CALL_KEPT_S) -> None:
        self._store = store
        self._kept_s = kept_s

    def admit_call(
        self,
        account_id: str,
        call: CallId,
        number: str,
        direction: Direction = Direction.INBOUND,
    ) -> Admission:
        """Decide a call, or repeat its decision. One round trip, but for the first of a period.

        Raises UnknownAccount; redis.RedisError when the ledger cannot say.
        """
        own = self._store.keys.of_account(account_id)
        status, record, allotment, purchased, route, drop_message = self._store.run(
            "admit_call",
            account_id,
            call.call_sid,
            number,
            self._kept_s,
            _UNLESS_INBOUND[direction],
            keys=(own.call(call), own.route, own.drop_message),
        )
        return Admission(
            repeated=status == "known",
            verdict=read_verdict(record),
            allotment=allotment,
            purchased=purchased,
            route=route,
            drop_message=drop_message,
        )

    def settle_call(
        self,
        account_id: str,
        call: CallId,
        number: str,
        end: CallEnd,
        *,
        duration_s: int | None,
        debit_unknown: bool,
        direction: Direction = Direction.INBOUND,
    ) -> Settlement:
        """Settle a call by its terminal status; the first that arrives wins (R2).

        With `debit_unknown` a completed call that the ledger never saw was let through without it
        and is debited now (R12). Raises UnknownAccount, redis.RedisError.
        """
        reply = self._store.run(
            "settle_call",
            account_id,
            call.call_sid,
            number,
            self._kept_s,
            end,
            "" if duration_s is None else duration_s,
            int(debit_unknown),
            _UNLESS_INBOUND[direction],
            keys=self._key(account_id, call),
        )
        return Settlement(reply[0])

    def admit_offline(
        self,
        account_id: str,
        call: CallId,
        number: str,
        told: Decision,
        direction: Direction = Direction.INBOUND,
    ) -> Told:
        """Record what Twilio was told while the ledger did not answer in time (R12).

        Raises UnknownAccount, redis.RedisError.
        """
        reply = self._store.run(
            "admit_offline",
            account_id,
            call.call_sid,
            number,
            self._kept_s,
            told,
            _UNLESS_INBOUND[direction],
            keys=self._key(account_id, call),
        )
        return Told(reply[0])

    def knows(self, account_id: str, call: CallId) -> bool:
        """Tell whether this account has a record of the call."""
        return bool(self._store.client.exists(*self._key(account_id, call)))

    def find(self, call_sid: str) -> list[FoundCall]:
        """Find a call by its CallSid alone. Walks through every key: for people, not for calls."""
        keys, client = self._store.keys, self._store.client
        found = []
        for shard in range(keys.shards):
            for key in client.scan_iter(keys.calls_named(shard, call_sid), count=_SCAN_COUNT):
                record = cast(str | None, client.get(key))
                if record is not None:
                    found.append(FoundCall(*keys.read_call(key), read_call(record)))
        return found

    def _key(self, account_id: str, call: CallId) -> tuple[str]:
        return (self._store.keys.of_account(account_id).call(call),)
