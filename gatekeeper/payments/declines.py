"""What each of Stripe's decline codes means for a card that nobody is holding at the moment.

Source: https://docs.stripe.com/declines/codes, section "Card decline codes", and
https://docs.stripe.com/declines/card on retrying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Decline:
    """How a top-off ends for which the card was declined.

    `card_refused`: this card must never be tried again, not even by hand. `cool_downs_s`: how long
    after the first, second, ... failure in a row it is tried again automatically.
    """

    card_refused: bool = False
    cool_downs_s: tuple[int, ...] = ()


#: Another card is needed, or the cardholder present. Card networks fine those who try again.
NEVER_AGAIN: Final = Decline(card_refused=True)
#: The issuer may think otherwise another day: a person may try the same card again.
NOT_NOW: Final = Decline()
#: Not the card's fault: tried again once by itself, hours later.
TRANSIENT: Final = Decline(cool_downs_s=(6 * 3600,))

#: What a decline is shown as when its own name must not be shown, or is not known.
GENERIC_CODE: Final = "generic_decline"
#: Naming these would tell a thief what is known.
#: Source: the pages above, "present it in the same manner as generic_decline".
_NOT_SHOWN: Final = frozenset(
    {"fraudulent", "lost_card", "merchant_blacklist", "pickup_card", "stolen_card"}
)

_ADVICE_NEVER_AGAIN: Final = "do_not_try_again"

DECLINES: Final[dict[str, Decline]] = {
    "approve_with_id": TRANSIENT,
    "authentication_not_handled": NEVER_AGAIN,
    "authentication_required": NEVER_AGAIN,
    "call_issuer": NOT_NOW,
    "card_not_supported": NOT_NOW,
    "card_velocity_exceeded": NOT_NOW,
    "currency_not_supported": NOT_NOW,
    "do_not_honor": NOT_NOW,
    "do_not_try_again": NEVER_AGAIN,
    "duplicate_transaction": NOT_NOW,
    "expired_card": NEVER_AGAIN,
    "fraudulent": NEVER_AGAIN,
    "generic_decline": NOT_NOW,
    "incorrect_address": NOT_NOW,
    "incorrect_cvc": NOT_NOW,
    "incorrect_number": NEVER_AGAIN,
    "incorrect_pin": NOT_NOW,
    "incorrect_zip": NOT_NOW,
    "insufficient_funds": NOT_NOW,
    "invalid_account": NEVER_AGAIN,
    "invalid_amount": NOT_NOW,
    "invalid_cvc": NOT_NOW,
    "invalid_expiry_month": NEVER_AGAIN,
    "invalid_expiry_year": NEVER_AGAIN,
    "invalid_number": NEVER_AGAIN,
    "invalid_pin": NOT_NOW,
    "issuer_not_available": TRANSIENT,
    "lost_card": NEVER_AGAIN,
    "merchant_blacklist": NEVER_AGAIN,
    "mobile_device_authentication_required": NEVER_AGAIN,
    "new_account_information_available": NEVER_AGAIN,
    "no_action_taken": NOT_NOW,
    "not_permitted": NOT_NOW,
    "offline_pin_required": NOT_NOW,
    "online_or_offline_pin_required": NOT_NOW,
    "pickup_card": NEVER_AGAIN,
    "pin_try_exceeded": NEVER_AGAIN,
    "processing_error": TRANSIENT,
    "reenter_transaction": TRANSIENT,
    "restricted_card": NEVER_AGAIN,
    "revocation_of_all_authorizations": NEVER_AGAIN,
    "revocation_of_authorization": NEVER_AGAIN,
    "security_violation": NOT_NOW,
    "service_not_allowed": NOT_NOW,
    "stolen_card": NEVER_AGAIN,
    "stop_payment_order": NEVER_AGAIN,
    "testmode_decline": NEVER_AGAIN,
    "transaction_not_allowed": NEVER_AGAIN,
    "try_again_later": TRANSIENT,
    "withdrawal_count_limit_exceeded": NOT_NOW,
}


def decline_of(code: str, advice_code: str = "") -> Decline:
    """Classify a decline; one that Stripe has not documented may be tried again by hand."""
    if advice_code == _ADVICE_NEVER_AGAIN:
        return NEVER_AGAIN
    return DECLINES.get(code, NOT_NOW)


def shown_code(code: str) -> str:
    """Name a decline as a customer may read it."""
    return code if code in DECLINES and code not in _NOT_SHOWN else GENERIC_CODE
