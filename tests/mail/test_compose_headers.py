"""To whom e-mails go, and that nobody's name can bend them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.notice import Notice
from gatekeeper.mail.compose import SenderIdentity, compose
from tests.mail.emails import (
    AT_MS,
    EVERY_NOTICE,
    FAILED,
    LINKED,
    LOW,
    OWNER,
    SENDER,
    SUCCEEDED,
    PageText,
    delivered,
    html_of,
    text_of,
)

HOSTILE_NAMES = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Rossi\r\nBcc: everyone@evil.example\r\n\r\nbody",
    "Rossi\nBcc: everyone@evil.example",
    'O\'Hara, "Joe" <joe@evil.example>, Ltd',
    "Müller & Söhne GmbH",
    "水道工事 株式会社",
    "=?utf-8?q?=0ABcc:_x=40evil.example?=",
    "{{ 7 * 7 }}{% raw %}",
    "gone\u202eexe.piuq",
    "\ud800 lone surrogate",
    "\x00\x1b[31m",
    "",
    "very long " * 100,
]


# --- headers ------------------------------------------------------------------------------------


def test_headers() -> None:
    message = delivered(compose(SUCCEEDED, OWNER, LINKED))
    assert message["From"] == "AI Receptionist <no-reply@mail.example>"
    assert message["To"] == "owner@rossi.example"
    assert message["Reply-To"] == "help@mail.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]).timestamp() == AT_MS // 1000


def test_the_message_id_is_stable_and_the_notices_own() -> None:
    first, again = compose(SUCCEEDED, OWNER, SENDER), compose(SUCCEEDED, OWNER, LINKED)
    assert first["Message-ID"] == again["Message-ID"]
    ids = {compose(notice, OWNER, SENDER)["Message-ID"] for notice in (SUCCEEDED, FAILED, LOW)}
    assert len(ids) == 3


@pytest.mark.parametrize("notice_id", ["1", "a b\r\n>", "ä.." * 300])
def test_any_notice_id_makes_a_valid_message_id(notice_id: str) -> None:
    received = delivered(compose(replace(LOW, id=notice_id), OWNER, SENDER))
    assert re.fullmatch(r"<[a-z0-9]+@mail\.example>", received["Message-ID"])


# --- hostile names ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("notice", EVERY_NOTICE, ids=lambda notice: notice.id)
def test_a_hostile_account_name_is_only_text(notice: Notice, name: str) -> None:
    harmless = compose(notice, OWNER, SENDER)
    message = compose(notice, replace(OWNER, name=name), SENDER)
    received = delivered(message)
    content_types = {"content-type"}  # its boundary is random
    assert [item for item in received.items() if item[0].lower() not in content_types] == [
        item for item in delivered(harmless).items() if item[0].lower() not in content_types
    ]
    assert PageText(html_of(message)).elements == PageText(html_of(harmless)).elements
    assert len(text_of(message).splitlines()) == len(text_of(harmless).splitlines())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller & Söhne <GmbH>", "Müller & Söhne <GmbH>"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("two\r\nlines\tand  more", "two lines and more"),
        ("left\u202eright", "leftright"),
        ("par\u2029agraph", "par agraph"),
        ("a\u200cb", "a\u200cb"),  # a joiner that Persian names need
    ],
)
def test_names_are_shown_as_they_are_on_one_line(name: str, shown: str) -> None:
    message = compose(LOW, replace(OWNER, name=name), SENDER)
    assert f"Account: {shown}\n" in text_of(message)
    assert f">{html.escape(shown, quote=False)}</td>" in html_of(message)


@given(st.text(max_size=200))
def test_no_account_name_changes_a_header(name: str) -> None:
    received = delivered(compose(LOW, replace(OWNER, name=name), SENDER))
    assert received["To"] == "owner@rossi.example"
    assert received["From"] == "AI Receptionist <no-reply@mail.example>"
    assert received["Bcc"] is None
    assert not received.defects


@pytest.mark.parametrize(
    "product_name",
    [
        'Acme, Inc. Receptionist, "the quick" <x@evil.example>, and a good deal more of it',
        "Müller, GmbH <a@evil.example>",
        "Réception automatique " * 8,
        "Line\r\nBcc: everyone@evil.example",
        "",
    ],
)
def test_a_product_name_stays_a_name(product_name: str) -> None:
    """Python drops the quotes of a display name that it folds."""
    received = delivered(compose(LOW, OWNER, replace(SENDER, product_name=product_name)))
    assert [each.addr_spec for each in received["From"].addresses] == ["no-reply@mail.example"]
    assert received["Bcc"] is None


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "email",
    [
        "",
        "owner",
        "@rossi.example",
        "owner@",
        "Rossi <owner@rossi.example>",
        "a@rossi.example, b@rossi.example",
        "owner@rossi.example\r\nBcc: everyone@evil.example",
        "owner @rossi.example",
        "owner@rossi.example ",
    ],
)
def test_what_is_no_address_is_refused_unnamed(email: str) -> None:
    with pytest.raises(ValueError, match="not one") as caught:
        compose(LOW, replace(OWNER, email=email), SENDER)
    assert "rossi" not in str(caught.value).lower()
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "email",
    [
        "o'hara+billing@rossi.example",
        "a..b.@rossi.example",
        "bücher@rossi.example",
        "owner@bücher.example",
        f"{'l' * 64}@{'d' * 60}.{'d' * 60}.example",
    ],
)
def test_unusual_addresses_are_kept(email: str) -> None:
    message = compose(LOW, replace(OWNER, email=email), SENDER)
    assert [each.addr_spec for each in message["To"].addresses] == [email]


@pytest.mark.parametrize(
    "broken",
    [
        lambda: replace(SENDER, mail_from="Billing <no-reply@mail.example>"),
        lambda: replace(SENDER, mail_from="no-reply"),
        lambda: replace(SENDER, mail_from="no-reply@müller.example"),
        lambda: replace(SENDER, support_email="help"),
        lambda: replace(SENDER, portal_url="javascript:alert(1)"),
        lambda: replace(SENDER, portal_url="portal.example"),
        lambda: replace(SENDER, portal_url="https://"),
        lambda: replace(SENDER, portal_url="http://["),
    ],
)
def test_a_sender_that_cannot_work_is_refused_at_once(
    broken: Callable[[], SenderIdentity],
) -> None:
    with pytest.raises(ValueError, match=r"must be a|must be an"):
        broken()
