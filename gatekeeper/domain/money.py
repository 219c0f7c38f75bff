"""Amounts of money as people read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

#: The amount Stripe is given in one of these is the charge itself.
#: Source: https://docs.stripe.com/currencies, "Zero-decimal currencies". That list has UGX too, but
#: the page's "Special cases" want UGX, like ISK, "as a two-decimal value, where the decimal amount
#: is always 00" (500 charges 5 UGX), so both are left at two decimals.
_ZERO_DECIMAL: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"}
    | {"PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)

#: Source: the same page, "Three-decimal currencies".
_THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})

#: Commas between thousands alone: in "100,50" one would be a decimal point to some.
_TYPED: Final = re.compile(r"([0-9]{1,12}|[0-9]{1,3}(,[0-9]{3}){1,3})(\.[0-9]{1,3})?", re.ASCII)

#: As in the Unicode CLDR's English locale, where only the American dollar is a bare "$".
_SYMBOLS: Final[dict[str, str]] = {
    "USD": "$",
    "AUD": "A$",
    "BRL": "R$",
    "CAD": "CA$",
    "EUR": "€",
    "GBP": "£",
    "HKD": "HK$",
    "ILS": "₪",
    "INR": "₹",
    "JPY": "¥",
    "KRW": "₩",
    "MXN": "MX$",
    "NZD": "NZ$",
}


@dataclass(frozen=True, slots=True)
class CreditPrice:
    """What a credit costs unless an account has its own price, in minor units of `currency`."""

    minor: int
    currency: str


def format_minor(amount_minor: int, currency: str) -> str:
    """Write an amount with its currency: "$42.00", "¥4,200", "42.00 CHF".

    `amount_minor` counts the currency's smallest unit as Stripe counts it, and may be negative.
    `currency` is an ISO 4217 code in any case. Raises ValueError if it isn't three letters.
    """
    if not re.fullmatch(r"[A-Za-z]{3}", currency):
        raise ValueError("a currency is a code of three letters")
    code = currency.upper()
    digits = _digits(abs(amount_minor), _decimals(code))
    sign = "-" if amount_minor < 0 else ""
    if code in _SYMBOLS:
        return f"{sign}{_SYMBOLS[code]}{digits}"
    return f"{sign}{digits} {code}"


def decimal_of_minor(amount_minor: int, currency: str) -> str:
    """Write an amount for a spreadsheet: "4200.00", without its currency and without commas."""
    return str(Decimal(amount_minor).scaleb(-_decimals(currency.upper())))


def minor_of_decimal(text: str, currency: str) -> int:
    """Read an amount as people type it: "100", "100.50", "$1,000", "100 USD".

    The opposite of the above, and of `format_minor`; a bare "$" is any dollar. Raises ValueError
    for what is no amount, is below zero, or has more decimals than the currency.
    """
    digits = _without_currency(text.strip(), currency.upper())
    if not _TYPED.fullmatch(digits):
        raise ValueError("an amount is written like 100 or 100.50")
    amount = Decimal(digits.replace(",", "")).scaleb(_decimals(currency.upper()))
    if amount != amount.to_integral_value():
        raise ValueError(f"{currency.upper()} has no smaller unit than that")
    return int(amount)


def _without_currency(text: str, code: str) -> str:
    symbol = _SYMBOLS.get(code)
    for sign in (code, symbol, symbol[-1]) if symbol else (code,):
        if text.upper().startswith(sign):
            return text[len(sign) :].lstrip()
        if text.upper().endswith(sign):
            return text[: -len(sign)].rstrip()
    return text


def _decimals(code: str) -> int:
    if code in _ZERO_DECIMAL:
        return 0
    return 3 if code in _THREE_DECIMAL else 2


def _digits(amount_minor: int, decimals: int) -> str:
    if decimals == 0:
        return f"{amount_minor:,}"
    whole, fraction = divmod(amount_minor, 10**decimals)
    return f"{whole:,}.{fraction:0{decimals}d}"
