"""Top-offs: requested, charged, settled or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any, cast

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.notice import Notice
from gatekeeper.domain.topoff import Topoff
from gatekeeper.ledger.errors import PaymentMismatch, UnknownAccount, UnknownTopoff
from gatekeeper.ledger.keys import account_of, new_record_id
from gatekeeper.ledger.records import in_groups, read_notice, read_topoff
from gatekeeper.ledger.store import Store


class RetryAnswer(StrEnum):
    """What asking for a retry by hand came to."""

    REQUESTED = "requested"
    IN_FLIGHT = "in_flight"
    NO_SUCH_INCIDENT = "no_such_incident"
    CAPPED = "capped"
    CHANGED = "changed"


class Look(StrEnum):
    """What a look at the threshold came to."""

    REQUESTED = "requested"
    NOT_DUE = "not_due"
    EARLY = "early"


class Charge(StrEnum):
    """How a charge stands when a worker takes it up."""

    CHARGE = "charge"
    NO_PAYMENT_METHOD = "no_payment_method"
    CARD_REFUSED = "card_refused"
    CANCELED = "canceled"
    FINISHED = "finished"


class Settled(StrEnum):
    """What reporting a success came to."""

    SETTLED = "settled"
    REPEATED = "repeated"


class Failed(StrEnum):
    """What reporting a failure came to."""

    FAILED = "failed"
    FAILED_QUIETLY = "failed_quietly"  # no incident: switched off, or the card was replaced
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class AgreedCharge:
    """What a person read before they asked for a charge. Prices are of one credit, in minor units.

    `standard_price_minor` is what one costs now where an account has no price of its own.
    """

    credits: int
    price_minor: int
    standard_price_minor: int


@dataclass(frozen=True, slots=True)
class Payment:
    """A successful charge as Stripe reports it. `amount_minor` in minor units of `currency`."""

    payment_intent: str
    amount_minor: int
    currency: str
    customer: str
    card_last4: str


class Topoffs:
    """The verbs on top-offs.

    Those that are given an `account_id` raise UnknownAccount, those that are given a `topoff_id`
    raise UnknownTopoff, also when its account is unknown. All raise redis.RedisError: the outcome
    is unknown.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def topoff(self, topoff_id: str) -> Topoff:
        """Read a top-off. Raises UnknownTopoff."""
        fields = self._store.client.hgetall(self._key(topoff_id))
        if not fields:
            raise UnknownTopoff(topoff_id)
        return read_topoff(topoff_id, cast(dict[str, str], fields))

    def notice(self, notice_id: str) -> Notice | None:
        """Read an e-mail's frozen content; None when it is no longer kept."""
        own = self._store.keys.of_account(account_of(notice_id))
        fields = self._store.client.hgetall(own.notice(notice_id))
        return read_notice(notice_id, cast(dict[str, str], fields)) if fields else None

    def request_topoff(
        self,
        account_id: str,
        incident_id: str,
        *,
        by: str = "",
        agreed: AgreedCharge | None = None,
    ) -> RetryAnswer:
        """Retry a failed top-off by hand; asking twice for one incident is asking once.

        What is charged is what is set now. `agreed` is what it has to be; without it, whatever that
        is. `by` is who asked. Neither by hand does one begin that the spending cap does not let.
        """
        told = astuple(agreed) if agreed else ()
        reply = self._store.run("request_topoff", account_id, incident_id, by, *told)
        return RetryAnswer(reply[0])

    def look_at_threshold(self, account_id: str) -> Look:
        """Look at the threshold when a cool-down ends, and strike that work off."""
        return Look(self._store.run("look_at_threshold", account_id)[0])

    def begin_charge(
        self, topoff_id: str, *, price_minor: int, currency: str
    ) -> tuple[Charge, Topoff]:
        """Begin a charge, or take it up again. `price_minor` is the default price of a credit.

        Raises UnknownTopoff; nothing is then owed for it any more.
        """
        reply = self._run("begin_charge", topoff_id, price_minor, currency)
        return Charge(reply[0]), read_topoff(topoff_id, dict(in_groups(reply[1], 2)))

    def record_intent(self, topoff_id: str, payment_intent: str) -> str:
        """Store the PaymentIntent before it is confirmed; returns the one that counts.

        Raises UnknownTopoff when the top-off is not being charged any more.
        """
        return cast(str, self._run("record_intent", topoff_id, payment_intent)[1])

    def next_attempt(self, topoff_id: str, attempt: int) -> int:
        """Start a new attempt after one that certainly charged nothing. Raises UnknownTopoff."""
        return cast(int, self._run("next_attempt", topoff_id, attempt)[1])

    def settle_topoff(self, topoff_id: str, payment: Payment, *, price_minor: int) -> Settled:
        """Credit a successful charge, exactly once (R7). `price_minor` as in `begin_charge`.

        Raises UnknownTopoff, PaymentMismatch.
        """
        notice_id = new_record_id(account_of(topoff_id))
        try:
            period = self._store.period_now(account_of(topoff_id))
        except UnknownAccount:
            raise UnknownTopoff(topoff_id) from None
        reply = self._run(
            "settle_topoff",
            topoff_id,
            payment.payment_intent,
            payment.amount_minor,
            payment.currency,
            payment.customer,
            payment.card_last4,
            notice_id,
            price_minor,
            period.start_ms,
            keys=(self._store.keys.of_account(account_of(topoff_id)).notice(notice_id),),
        )
        return Settled(self._checked(reply, topoff_id))

    def fail_topoff(
        self,
        topoff_id: str,
        *,
        payment_intent: str,
        reason: FailureReason,
        decline_code: str = "",
        card_refused: bool = False,
        cool_downs_s: Sequence[int] = (),
    ) -> Failed:
        """End a top-off whose charge certainly did not happen (R8).

        `cool_downs_s` are the waits after the first, second, ... failure in a row before an
        automatic attempt is allowed again; none left, none allowed. `card_refused`: the issuer
        said never to try this card again. Raises UnknownTopoff, PaymentMismatch.
        """
        reply = self._run(
            "fail_topoff",
            topoff_id,
            payment_intent,
            reason,
            decline_code,
            int(card_refused),
            *cool_downs_s,
        )
        return Failed(self._checked(reply, topoff_id))

    def _run(
        self, verb: str, topoff_id: str, *args: str | int, keys: Sequence[str] = ()
    ) -> list[Any]:
        reply = self._store.run(
            verb, account_of(topoff_id), topoff_id, *args, keys=(self._key(topoff_id), *keys)
        )
        if reply[0] == "unknown_topoff":
            raise UnknownTopoff(topoff_id)
        return reply

    def _checked(self, reply: list[Any], topoff_id: str) -> str:
        status = cast(str, reply[0])
        if status in ("mismatch", "bad_move"):
            raise PaymentMismatch(f"what was reported does not fit top-off {topoff_id}: {status}")
        return status

    def _key(self, topoff_id: str) -> str:
        return self._store.keys.of_account(account_of(topoff_id)).topoff(topoff_id)
