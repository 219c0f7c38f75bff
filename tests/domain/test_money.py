"""Amounts as the customer reads them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.money import decimal_of_minor, format_minor, minor_of_decimal

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


@pytest.mark.parametrize(
    ("text", "currency", "amount_minor"),
    [
        ("100", "usd", 10_000),
        (" 100.50 ", "USD", 10_050),
        ("1,000.5", "eur", 100_050),
        ("4,200", "jpy", 4_200),
        ("1.234", "kwd", 1_234),
        ("0", "usd", 0),
        ("$10", "usd", 1_000),
        ("10.50 USD", "usd", 1_050),
        ("usd 10", "usd", 1_000),
        ("$10", "cad", 1_000),
        ("CA$ 10", "cad", 1_000),
        ("€1,000", "eur", 100_000),
        ("10 €", "eur", 1_000),
        ("CHF 10", "chf", 1_000),
    ],
)
def test_an_amount_that_somebody_typed(text: str, currency: str, amount_minor: int) -> None:
    assert minor_of_decimal(text, currency) == amount_minor


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "-1", "+1", "1e3", "100,50", "1,00", ".5", "1.", "1.005", "NaN", "1 000"),
        *("€5", "$-5", "-$5", "$", "$$5", "USD", "5 EUR", "F 5"),
        "\N{ARABIC-INDIC DIGIT FIVE}",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|unit"):
        minor_of_decimal(text, "usd")


@given(st.integers(min_value=0, max_value=10**11), st.sampled_from(["usd", "jpy", "kwd"]))
def test_what_is_written_is_read_back(amount_minor: int, currency: str) -> None:
    assert minor_of_decimal(decimal_of_minor(amount_minor, currency), currency) == amount_minor
