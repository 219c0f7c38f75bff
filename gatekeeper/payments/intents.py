"""PaymentIntents as the API and the webhook's events show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from gatekeeper.ledger.keys import account_of, is_record_id
from gatekeeper.ledger.topoffs import Payment

_UNCONFIRMED: Final = frozenset({"requires_payment_method", "requires_confirmation"})


class UnreadableIntent(ValueError):
    """What should be a PaymentIntent lacks what every PaymentIntent has."""


@dataclass(frozen=True, slots=True)
class PaymentError:
    """Why an attempt to charge failed. `decline_code` and `advice_code` are "" where not given."""

    type: str
    code: str
    decline_code: str
    advice_code: str

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Read the `error` of a 402, or a `last_payment_error`."""
        return cls(
            type=str(fields.get("type") or ""),
            code=str(fields.get("code") or ""),
            decline_code=str(fields.get("decline_code") or ""),
            advice_code=str(fields.get("advice_code") or ""),
        )


@dataclass(frozen=True, slots=True)
class Intent:
    """One PaymentIntent at one instant. `card_last4` is "" unless the charge came with it."""

    id: str
    status: str
    amount_received_minor: int
    currency: str
    customer: str
    card_last4: str
    error: PaymentError | None
    topoff_id: str
    purchase_id: str
    account_id: str

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Read Stripe's JSON. Raises UnreadableIntent."""
        try:
            error, metadata = fields.get("last_payment_error"), fields.get("metadata") or {}
            return cls(
                id=_text(fields["id"]),
                status=_text(fields["status"]),
                amount_received_minor=_whole(fields["amount_received"]),
                currency=_text(fields["currency"]),
                customer=_id_of(fields.get("customer")),
                card_last4=_last4(fields.get("latest_charge")),
                error=PaymentError.read(error) if error else None,
                topoff_id=_ours(metadata.get("topoff")),
                purchase_id=_ours(metadata.get("purchase")),
                account_id=_ours(metadata.get("account")),
            )
        except (KeyError, TypeError, AttributeError):
            raise UnreadableIntent("this is not a PaymentIntent") from None

    @property
    def is_about_topoff(self) -> bool:
        """Whether it was made here, to pay for a top-off."""
        return is_record_id(self.topoff_id) and account_of(self.topoff_id) == self.account_id

    @property
    def is_about_purchase(self) -> bool:
        """Whether it pays for credits that were bought here."""
        return is_record_id(self.purchase_id) and account_of(self.purchase_id) == self.account_id

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has tried to charge it yet."""
        return self.status in _UNCONFIRMED and self.error is None

    @property
    def payment(self) -> Payment:
        """What the ledger is told when it succeeded."""
        return Payment(
            payment_intent=self.id,
            amount_minor=self.amount_received_minor,
            currency=self.currency,
            customer=self.customer,
            card_last4=self.card_last4,
        )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isascii():  # as all that is read here is
        raise TypeError("not a text")
    return value


def _ours(value: object) -> str:
    """Read what we put into metadata; "" where another product put something else."""
    return value if isinstance(value, str) and value.isascii() else ""


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("not a whole number")
    return value


def _id_of(value: str | Mapping[str, Any] | None) -> str:
    """Read a reference that may be expanded, or absent."""
    return _text(value["id"] if isinstance(value, Mapping) else value or "")


def _last4(charge: str | Mapping[str, Any] | None) -> str:
    if not isinstance(charge, Mapping):
        return ""
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    return _text(card.get("last4") or "")
