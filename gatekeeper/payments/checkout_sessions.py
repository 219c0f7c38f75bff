"""How a visit to Checkout stands, as Stripe has it.

A session may be open although its payment has succeeded just now, so the PaymentIntent is looked at
first. Sources: https://docs.stripe.com/api/checkout/sessions/object and, for what the tick box
leaves behind, https://docs.stripe.com/payments/save-during-payment (`allow_redisplay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stripe import StripeClient, StripeError

from gatekeeper.domain.account import MAX_CREDITS
from gatekeeper.domain.checkout import Checkout
from gatekeeper.ledger.checkouts import PaidPurchase, SavedCard
from gatekeeper.ledger.errors import PaymentMismatch
from gatekeeper.payments.cards import CardNotUsable, read_card
from gatekeeper.payments.intents import Intent, UnreadableIntent
from gatekeeper.payments.stripe_errors import describe

_OF_INTENT: Final = ("latest_charge", "payment_method")
_OF_SESSION: Final = (
    *(f"payment_intent.{part}" for part in _OF_INTENT),
    "setup_intent.payment_method",
)


class CheckoutUnreadable(Exception):
    """Stripe did not say how a visit stands. The message has no word of Stripe's."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The page is still open, or the payment on its way.

    `until_ms` is when the page closes by itself; None when Stripe was not asked for that.
    """

    until_ms: int | None


@dataclass(frozen=True, slots=True)
class CameToNothing:
    """Nothing was paid or saved, and nothing can be any more."""


Standing = PaidPurchase | SavedCard | Waiting | CameToNothing


def read_standing(stripe: StripeClient, checkout: Checkout) -> Standing:
    """Ask Stripe how a visit stands. Raises CheckoutUnreadable, PaymentMismatch."""
    try:
        if checkout.session:
            return _of_session(checkout, _session(stripe, checkout.session))
        return _of_payment(checkout, _intent(stripe, checkout.payment_intent), CameToNothing())
    except StripeError as error:
        problem = f"{checkout.id} cannot be read: {describe(error)}"
        raise CheckoutUnreadable(problem) from None
    except (UnreadableIntent, CardNotUsable, KeyError, TypeError, AttributeError):
        problem = f"what Stripe says of {checkout.id} cannot be understood"
        raise CheckoutUnreadable(problem) from None


def _session(stripe: StripeClient, session: str) -> dict[str, Any]:
    found = stripe.v1.checkout.sessions.retrieve(session, {"expand": list(_OF_SESSION)})
    return found.to_dict()


def _intent(stripe: StripeClient, payment_intent: str) -> dict[str, Any]:
    found = stripe.v1.payment_intents.retrieve(payment_intent, {"expand": list(_OF_INTENT)})
    return found.to_dict()


def _of_session(checkout: Checkout, fields: Mapping[str, Any]) -> Standing:
    is_open = fields["status"] == "open"
    otherwise = Waiting(fields["expires_at"] * 1000) if is_open else CameToNothing()
    if fields["mode"] == "setup":
        return _of_setup(fields["setup_intent"], fields["customer"], otherwise)
    if fields["payment_intent"] is None:  # made at the first attempt to pay
        return otherwise
    return _of_payment(checkout, fields["payment_intent"], otherwise)


def _of_setup(intent: Mapping[str, Any], customer: str, otherwise: Standing) -> Standing:
    if intent["status"] != "succeeded":
        return otherwise
    card = intent["payment_method"]
    if card["customer"] is None:  # detached since
        return CameToNothing()
    return _saved(card, customer)


def _of_payment(checkout: Checkout, fields: Mapping[str, Any], otherwise: Standing) -> Standing:
    intent = Intent.read(fields)
    if intent.status == "processing":
        return Waiting(None)
    if intent.status != "succeeded":
        return otherwise
    method = fields["payment_method"] or {}
    chosen = method.get("allow_redisplay") == "always" and method["customer"] == intent.customer
    return PaidPurchase(
        id=checkout.id,
        credits=_credits(checkout, intent, fields["metadata"]),
        payment=intent.payment,
        payment_method=method.get("id", ""),
        receipt_url=_web_address((fields["latest_charge"] or {}).get("receipt_url")),
        saved=_saved(method, intent.customer) if chosen and method["type"] == "card" else None,
    )


def _credits(checkout: Checkout, intent: Intent, metadata: Mapping[str, str]) -> int:
    """Read what was bought from what we wrote beside the payment. Raises PaymentMismatch."""
    stated = [metadata.get(name, "") for name in ("credits", "amount_minor")]
    fits = intent.is_about_purchase and intent.purchase_id == checkout.id
    if fits and all(text.isascii() and text.isdigit() for text in stated):
        credits, amount_minor = map(int, stated)
        if amount_minor == intent.amount_received_minor and 0 < credits <= MAX_CREDITS:
            return credits
    raise PaymentMismatch(f"{intent.id} does not say that it paid for {checkout.id}")


def _saved(method: Mapping[str, Any], customer: str) -> SavedCard:
    # Stripe tells whole seconds: within one, the card is the later.
    return SavedCard(read_card(method, customer), method["created"] * 1000 + 999)


def _web_address(value: object) -> str:
    is_one = isinstance(value, str) and value.startswith(("https://", "http://"))
    return str(value) if is_one else ""
