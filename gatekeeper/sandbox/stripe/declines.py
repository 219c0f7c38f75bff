"""Why issuers decline cards, and how Stripe says it."""

from dataclasses import dataclass
from typing import Final, Literal

AdviceCode = Literal["confirm_card_data", "do_not_try_again", "try_again_later"]

# Source: https://docs.stripe.com/declines/codes, section "Card decline codes" (50 codes, two of
# them deprecated in favour of advice codes: do_not_try_again and try_again_later), as of
# September 2026. Codes of payment methods other than cards are left out.
DECLINE_CODES: Final = (
    "authentication_required",
    "authentication_not_handled",
    "approve_with_id",
    "call_issuer",
    "card_not_supported",
    "card_velocity_exceeded",
    "currency_not_supported",
    "do_not_honor",
    "do_not_try_again",
    "duplicate_transaction",
    "expired_card",
    "fraudulent",
    "generic_decline",
    "incorrect_address",
    "incorrect_cvc",
    "incorrect_number",
    "incorrect_pin",
    "incorrect_zip",
    "insufficient_funds",
    "invalid_account",
    "invalid_amount",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "invalid_pin",
    "issuer_not_available",
    "lost_card",
    "merchant_blacklist",
    "mobile_device_authentication_required",
    "new_account_information_available",
    "no_action_taken",
    "not_permitted",
    "offline_pin_required",
    "online_or_offline_pin_required",
    "pickup_card",
    "pin_try_exceeded",
    "processing_error",
    "reenter_transaction",
    "restricted_card",
    "revocation_of_all_authorizations",
    "revocation_of_authorization",
    "security_violation",
    "service_not_allowed",
    "stolen_card",
    "stop_payment_order",
    "testmode_decline",
    "transaction_not_allowed",
    "try_again_later",
    "withdrawal_count_limit_exceeded",
)

# Source: https://docs.stripe.com/declines/card, "Retrying issuer declines".
ADVICE_CODES: Final[tuple[AdviceCode, ...]] = (
    "confirm_card_data",
    "do_not_try_again",
    "try_again_later",
)

# Reasons that are an error code of their own; every other one is `card_declined`.
# Source: https://docs.stripe.com/error-codes.
_ERROR_CODES: Final = frozenset(
    {
        "authentication_required",
        "expired_card",
        "incorrect_address",
        "incorrect_cvc",
        "incorrect_number",
        "incorrect_zip",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "processing_error",
    }
)

_PARAMS: Final = {
    "expired_card": "exp_month",
    "incorrect_cvc": "cvc",
    "incorrect_number": "number",
    "incorrect_zip": "address_zip",
    "invalid_cvc": "cvc",
    "invalid_expiry_month": "exp_month",
    "invalid_expiry_year": "exp_year",
    "invalid_number": "number",
}

_MESSAGES: Final = {
    "authentication_required": (
        "Your card was declined. This transaction requires authentication."
    ),
    "card_not_supported": "Your card does not support this type of purchase.",
    "card_velocity_exceeded": (
        "Your card was declined for making repeated attempts too frequently "
        "or exceeding its amount limit."
    ),
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "incorrect_number": "Your card number is incorrect.",
    "incorrect_zip": "The zip code you supplied failed validation.",
    "insufficient_funds": "Your card has insufficient funds.",
    "invalid_cvc": "Your card's security code is invalid.",
    "invalid_expiry_month": "Your card's expiration month is invalid.",
    "invalid_expiry_year": "Your card's expiration year is invalid.",
    "invalid_number": "Your card number is invalid.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "transaction_not_allowed": "Your card does not support this type of purchase.",
}

# Which advice an issuer gives is up to the issuer; these are the usual ones.
_ADVICE: Final[dict[str, AdviceCode]] = {
    **dict.fromkeys(
        ("card_velocity_exceeded", "do_not_honor", "generic_decline", "insufficient_funds"),
        "try_again_later",
    ),
    **dict.fromkeys(
        ("issuer_not_available", "processing_error", "reenter_transaction", "try_again_later"),
        "try_again_later",
    ),
    **dict.fromkeys(
        ("do_not_try_again", "lost_card", "pickup_card", "stolen_card", "transaction_not_allowed"),
        "do_not_try_again",
    ),
    **dict.fromkeys(
        ("revocation_of_all_authorizations", "revocation_of_authorization", "stop_payment_order"),
        "do_not_try_again",
    ),
    **dict.fromkeys(
        ("expired_card", "incorrect_cvc", "incorrect_number", "incorrect_zip"),
        "confirm_card_data",
    ),
}


@dataclass(frozen=True, slots=True)
class Decline:
    """One way to say no.

    `code` is Stripe's error code, `decline_code` the issuer's reason in Stripe's words (none
    for some test cards), `param` the detail of the card that is to blame. `blocked` means
    that Radar refused the payment before the issuer was asked.
    """

    code: str
    decline_code: str | None
    message: str
    advice_code: AdviceCode | None = None
    param: str | None = None
    blocked: bool = False


def decline(
    decline_code: str,
    *,
    code: str | None = None,
    message: str | None = None,
    blocked: bool = False,
) -> Decline:
    """Build the decline for a reason, with Stripe's error code, wording and advice for it.

    The optional arguments replace what Stripe would usually say.
    """
    return Decline(
        code=code or (decline_code if decline_code in _ERROR_CODES else "card_declined"),
        decline_code=decline_code,
        message=message or _MESSAGES.get(decline_code, "Your card was declined."),
        advice_code=_ADVICE.get(decline_code),
        param=_PARAMS.get(decline_code),
        blocked=blocked,
    )


def bare_decline(code: str) -> Decline:
    """Build a decline that has an error code and no decline code, as three test cards have."""
    return Decline(code=code, decline_code=None, message=_MESSAGES[code], param=_PARAMS.get(code))
