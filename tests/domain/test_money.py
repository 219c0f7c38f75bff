"""Amounts as the customer reads them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.money import format_minor

# https://docs.stripe.com/currencies, "Zero-decimal currencies", without UGX (see below).
ZERO_DECIMAL = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"]
ZERO_DECIMAL += ["PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]


@pytest.mark.parametrize(
    ("amount_minor", "currency", "written"),
    [
        (4200, "USD", "$42.00"),
        (4200, "usd", "$42.00"),
        (4200, "EUR", "€42.00"),
        (4200, "GBP", "£42.00"),
        (4200, "JPY", "¥4,200"),
        (4200, "CAD", "CA$42.00"),
        (4200, "CHF", "42.00 CHF"),
        (4200, "chf", "42.00 CHF"),
        (4200, "CLP", "4,200 CLP"),
        (4200, "KWD", "4.200 KWD"),
        (123456789, "USD", "$1,234,567.89"),
        (5, "USD", "$0.05"),
        (0, "USD", "$0.00"),
        (0, "JPY", "¥0"),
        (-4200, "USD", "-$42.00"),
        (-5, "CHF", "-0.05 CHF"),
    ],
)
def test_amounts(amount_minor: int, currency: str, written: str) -> None:
    assert format_minor(amount_minor, currency) == written


@pytest.mark.parametrize("currency", ZERO_DECIMAL)
def test_a_zero_decimal_currency_has_no_fraction(currency: str) -> None:
    assert "." not in format_minor(500, currency)
    assert "500" in format_minor(500, currency)


@pytest.mark.parametrize("currency", ["ISK", "UGX"])
def test_stripes_special_cases_are_charged_in_hundredths(currency: str) -> None:
    """Stripe: "to charge 5 UGX, provide an amount value of 500"."""
    assert format_minor(500, currency) == f"5.00 {currency}"


@pytest.mark.parametrize("currency", ["", "US", "DOLLARS", "U$D", "<b>", "usd\n", "ÜSD"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="three letters"):
        format_minor(100, currency)


@given(st.integers(min_value=-(10**12), max_value=10**12))
def test_no_cent_is_lost(amount_minor: int) -> None:
    written = format_minor(amount_minor, "CHF").removesuffix(" CHF").replace(",", "")
    assert Decimal(written) * 100 == amount_minor
