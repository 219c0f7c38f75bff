"""One rule says what an e-mail address is, wherever one is entered or written to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.account import InvalidSettings, NewAccount, new_account_id
from gatekeeper.domain.email_address import is_email_address, normalize_email
from gatekeeper.mail.compose import Recipient, SenderIdentity, compose
from tests.mail.emails import SENDER, SUCCEEDED

ADDRESSES = [
    "office@bright-dental.example",
    "o'hara+calls@example.com",
    "a.b_c-d=e@mail.example.co.uk",
    "first..last@docomo.example",  # such mailboxes exist
    "bücher@bücher.example",
    "受付@例え.example",
    "root@localhost",
    "a" * 64 + "@example.com",
]
OTHERS = [
    "",
    "@",
    "nobody",
    "@example.com",
    "a@",
    "a@b..c",
    "a@.b",
    "a@b.",
    "a@-b.c",
    "a@b-.c",
    "a@b]",
    "a@[127.0.0.1]",
    "a@b@c",
    "a b@c",
    "a@b c",
    "a@b\n",
    "a@b\r\nBcc: c@d",
    "a\x00@b",
    "a\x7f@b",
    "a@b\x85",
    "a\u200b@b",
    "a\u200d@b",
    "a@b\u202ec",
    "\u2066a@b",
    "\ufeffa@b",
    "a\u00a0@b",
    "a\u2028@b",
    "a\udce9@b",
    "a@b\ud800",
    "a<b>@c",
    '"a"@b',
    "a,b@c",
    "a;b@c",
    "a:b@c",
    "a(b)@c",
    "a\\b@c",
    "a@b_c",
    "a@b,c",
    "Able <a@b>",
    "a" * 65 + "@example.com",
    "ä" * 33 + "@example.com",
    "a@" + "b" * 253,
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address(text: str) -> None:
    assert is_email_address(text)


@pytest.mark.parametrize("text", OTHERS, ids=ascii)
def test_what_is_none_is_refused_by_accounts_and_by_the_mail_room(text: str) -> None:
    assert not is_email_address(text)
    with pytest.raises(InvalidSettings, match="e-mail address"):
        NewAccount(new_account_id(), "Able", text)
    with pytest.raises(ValueError, match="e-mail address"):
        compose(SUCCEEDED, Recipient("Able", text, "UTC"), SENDER)
    with pytest.raises(ValueError, match="e-mail address"):
        SenderIdentity(text, "any")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Able@Example.COM", "able@example.com"),
        (" able@example.com\n", "able@example.com"),
        ("a\u0308ble@example.com", "\u00e4ble@example.com"),
        ("\u212aim@example.com", "kim@example.com"),  # the sign of the kelvin
        ("stra\u00dfe@example.com", "stra\u00dfe@example.com"),
    ],
    ids=ascii,
)
def test_a_person_is_known_by_one_form(text: str, normal: str) -> None:
    assert normalize_email(text) == normal
    assert normalize_email(normal) == normal


@pytest.mark.parametrize("text", [text for text in OTHERS if text == text.strip()], ids=ascii)
def test_what_is_no_address_has_no_normal_form(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail address"):
        normalize_email(text)


class OnlyMeasured(str):
    """A text of which nobody may look at more than its length."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"{name} of a text that is too long")


def test_a_text_that_is_too_long_is_not_looked_at() -> None:
    marks = OnlyMeasured("a" + "\u0301\u0327" * 250_000 + "@example.com")
    assert not is_email_address(marks)
    with pytest.raises(ValueError, match="e-mail address"):
        normalize_email(marks)
    with pytest.raises(ValueError, match="e-mail address"):
        normalize_email("a" + "\u0301\u0327" * 250_000 + "@example.com")


@given(st.text(), st.text())
def test_what_passes_is_one_line_of_visible_characters(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    if is_email_address(address):
        assert address.isprintable()
        assert address.split() == [address]
        assert compose(SUCCEEDED, Recipient("Able", address, "UTC"), SENDER)["To"] == address
