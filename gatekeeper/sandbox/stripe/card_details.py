"""Checking the details of a card as a customer types them in."""

from datetime import UTC, datetime
from typing import Any, Final

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.card_errors import card_error
from gatekeeper.sandbox.stripe.cards import SandboxCard, card_by_number, passes_luhn
from gatekeeper.sandbox.stripe.declines import decline

_MONTHS: Final = 12
_CENTURY: Final = 2000
_YEARS_AHEAD: Final = 50
_CVC_LENGTHS: Final = {3, 4}


def card_by_details(details: dict[str, Any]) -> SandboxCard:
    """Return the test card with these details.

    A year of two digits is completed in place. Raises StripeError: 400 when a detail is missing,
    402 when one is wrong or the number is not a test card's.
    """
    for name in ("number", "exp_month", "exp_year"):
        if name not in details:
            raise params.missing_param(f"card[{name}]")
    if not passes_luhn(details["number"]):
        raise card_error(decline("incorrect_number"))
    _check_expiry(details)
    cvc = details.get("cvc")
    if cvc is not None and not (cvc.isdecimal() and len(cvc) in _CVC_LENGTHS):
        raise card_error(decline("invalid_cvc"))
    card = card_by_number(details["number"])
    if card is None:
        raise card_error(
            decline(
                "test_mode_live_card",
                message="Your card was declined. Your request was in test mode, but used a non "
                "test (live) card. For a list of valid test cards, visit: "
                "https://stripe.com/docs/testing.",
            )
        )
    return card


def _check_expiry(details: dict[str, Any]) -> None:
    if not 1 <= details["exp_month"] <= _MONTHS:
        raise card_error(decline("invalid_expiry_month"))
    if details["exp_year"] < 100:  # noqa: PLR2004 - a year of two digits
        details["exp_year"] += _CENTURY
    today = datetime.now(UTC)
    if not today.year <= details["exp_year"] <= today.year + _YEARS_AHEAD:
        raise card_error(decline("invalid_expiry_year"))
    if (details["exp_year"], details["exp_month"]) < (today.year, today.month):
        raise card_error(decline("invalid_expiry_month"))
