from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.phone import is_e164, mask

E164 = st.from_regex(r"\A\+[1-9][0-9]{6,14}\Z")


@pytest.mark.parametrize("number", ["+15551234534", "+1234567", "+123456789012345", "+4930123456"])
def test_numbers_in_e164_are_recognised(number: str) -> None:
    assert is_e164(number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "15551234534",  # no plus
        "+05551234534",  # a country code never starts with 0
        "+123456",  # too short
        "+1234567890123456",  # 16 digits
        "+1 555 123 4534",
        "+1555123453x",
        "+1555１２３4534",  # noqa: RUF001 - full-width digits
        "+15551234534\n",
        "\n+15551234534",
        "anonymous",
        "sip:+15551234534@example.com",
    ],
)
def test_everything_else_is_not(text: str) -> None:
    assert not is_e164(text)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+15551234534", "+1555*****34"),
        ("+4930123456", "+4930****56"),
        ("+12345678", "+12****78"),
        ("+1234567", "+1****67"),
        ("anonymous", "anonymous"),
        ("", ""),
        ("sip:alice@example.com", "*****"),
        ("Alice <script>", "*****"),
        ("+1555\x1b[31m4534", "*****"),
    ],
)
def test_a_masked_number_shows_country_area_and_two_digits(number: str, shown: str) -> None:
    assert mask(number) == shown


@given(E164)
def test_at_least_four_digits_stay_hidden(number: str) -> None:
    shown = mask(number)
    assert len(shown) == len(number)
    assert shown.count("*") >= 4
    assert all(a in ("*", b) for a, b in zip(shown, number, strict=True))


@given(st.text())
def test_whatever_a_caller_sends_a_log_line_stays_printable_ascii(text: str) -> None:
    shown = mask(text)
    assert shown.isascii()
    assert shown.isprintable()
