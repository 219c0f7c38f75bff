"""What the e-mails say."""

from __future__ import annotations

import re
from dataclasses import replace
from email.message import EmailMessage
from importlib.resources import files
from typing import get_args

import pytest

from gatekeeper.domain.call import Reason
from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.notice import KIND_OF_NOTICE, BalanceLow, Notice, NoticeKind, TopoffFailed
from gatekeeper.mail.compose import SenderIdentity, compose
from gatekeeper.mail.links import links_of
from tests.mail.emails import (
    BOUGHT,
    CAPPED,
    CLAWED_BACK,
    DROP_REASONS,
    DROPPED,
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
    readable,
    text_of,
)

# "Credits & Billing", "Failed Payments": what it means, what to do. Word for word.
PROMISED = {
    "No payment method set for automatic top-offs": (
        "Auto top-off is enabled but no card is attached as the payment method for it",
        "Click Set Up Auto Top-Off in the banner to attach a card",
    ),
    "Your card was declined": (
        "The most recent charge attempt was rejected by the issuer",
        "Click Update Payment Method in the banner to swap in a working card, then retry the "
        "charge from the billing page",
    ),
    "An internal error occurred": (
        "The charge attempt hit a transient system error",
        "Retry the charge from the billing page; if it keeps failing, contact support",
    ),
}


# --- every notice -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_kind_of_notice_has_its_templates(kind: NoticeKind) -> None:
    folder = files("gatekeeper.mail") / "templates" / kind.value
    for name in ("subject.txt", "body.txt", "body.html"):
        assert (folder / name).is_file()


def test_every_kind_of_notice_is_composed_here() -> None:
    assert {KIND_OF_NOTICE[type(notice)] for notice in EVERY_NOTICE} == set(NoticeKind)
    assert set(KIND_OF_NOTICE) == set(get_args(Notice))


@pytest.mark.parametrize("sender", [SENDER, LINKED], ids=["no_links", "links"])
@pytest.mark.parametrize("notice", EVERY_NOTICE, ids=lambda notice: notice.id)
class TestEveryNotice:
    def test_has_a_text_and_an_html_alternative(
        self, notice: Notice, sender: SenderIdentity
    ) -> None:
        message = delivered(compose(notice, OWNER, sender))
        assert message.get_content_type() == "multipart/alternative"
        parts = [part for part in message.iter_parts() if isinstance(part, EmailMessage)]
        assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
        assert {part.get_content_charset() for part in parts} == {"utf-8"}

    def test_is_safe_for_any_server_on_the_way(
        self, notice: Notice, sender: SenderIdentity
    ) -> None:
        raw = compose(notice, OWNER, sender).as_bytes()
        assert raw.isascii()
        assert max(len(line) for line in raw.split(b"\r\n")) <= 78
        assert b"\n" not in raw.replace(b"\r\n", b"")

    def test_names_account_balance_and_time(self, notice: Notice, sender: SenderIdentity) -> None:
        for body in readable(compose(notice, OWNER, sender)):
            assert "Rossi Plumbing" in body
            assert "March 6, 2026, 14:05 CET (Europe/Rome)" in body
            assert f"{notice.balance} credits" in body

    def test_leads_to_its_page_and_to_who_gets_it(
        self, notice: Notice, sender: SenderIdentity
    ) -> None:
        message = compose(notice, OWNER, sender)
        if sender.portal_url:
            links = links_of(KIND_OF_NOTICE[type(notice)], "acc_1", sender.portal_url)
            assert links.choice == "https://portal.example/a/acc_1/settings/emails"
            for link in (links.page, links.choice):
                assert link in text_of(message).split()
                assert link in PageText(html_of(message)).links
        for body in readable(message):
            assert ("Settings → Billing" in body) is (sender.portal_url is None)
            assert ("help@mail.example" in body) is (sender.support_email is not None)
            assert "None" not in body
            assert "**" not in body

    def test_loads_nothing_from_elsewhere(self, notice: Notice, sender: SenderIdentity) -> None:
        page = PageText(html_of(compose(notice, OWNER, sender)))
        assert page.elements.isdisjoint({"img", "link", "script", "iframe", "object", "form"})
        assert "url(" not in html_of(compose(notice, OWNER, sender))

    def test_text_and_html_say_the_same(self, notice: Notice, sender: SenderIdentity) -> None:
        # The text has colons where the page has a table, and addresses where it has links.
        text, page = (
            {word.rstrip(":") for word in body.lower().split() if "://" not in word}
            for body in readable(compose(notice, OWNER, sender))
        )
        assert text == page

    def test_names_no_decline_code(self, notice: Notice, sender: SenderIdentity) -> None:
        for body in readable(compose(notice, OWNER, sender)):
            assert re.search(r"[a-z]+_[a-z]+|fraud|stolen|lost", body) is None


# --- what each says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notice", "path"),
    [
        (SUCCEEDED, "settings/billing#history"),
        (FAILED, "settings/billing#charge"),
        (DROPPED, "settings/billing"),
        (LOW, "receptionist/settings"),
        (CAPPED, "receptionist/settings"),
        (CLAWED_BACK, "settings/billing#history"),
        (BOUGHT, "settings/billing#history"),
    ],
    ids=lambda value: getattr(value, "id", ""),
)
def test_each_leads_to_the_page_that_it_is_about(notice: Notice, path: str) -> None:
    links = links_of(KIND_OF_NOTICE[type(notice)], notice.account_id, "https://portal.example")
    assert links.page == f"https://portal.example/a/acc_1/{path}"


@pytest.mark.parametrize("notice", EVERY_NOTICE, ids=lambda notice: notice.id)
def test_whichever_says_that_one_can_buy_credits_leads_there(notice: Notice) -> None:
    message = compose(notice, OWNER, LINKED)
    buy = "https://portal.example/a/acc_1/buy"
    says_so = "Buy Credits in the top navigation bar" in " ".join(text_of(message).split())
    assert (buy in text_of(message).split()) is says_so
    assert (buy in PageText(html_of(message)).links) is says_so


def test_a_topoff_is_confirmed() -> None:
    message = compose(SUCCEEDED, OWNER, SENDER)
    assert message["Subject"] == "Auto top-off: 200 credits added"
    for body in readable(message):
        for said in ("200 credits", "$42.00", "ending in 4242", "243 credits"):
            assert said in body


@pytest.mark.parametrize(
    ("amount_minor", "currency", "written"),
    [(4200, "jpy", "¥4,200"), (4200, "eur", "€42.00"), (4200, "chf", "42.00 CHF")],
)
def test_amounts_are_written_in_their_currency(
    amount_minor: int, currency: str, written: str
) -> None:
    paid = replace(SUCCEEDED, amount_minor=amount_minor, currency=currency)
    unpaid = replace(FAILED, amount_minor=amount_minor, currency=currency)
    for notice in (paid, unpaid):
        for body in readable(compose(notice, OWNER, SENDER)):
            assert written in body


def test_a_card_without_its_last_four_is_left_out() -> None:
    for body in readable(compose(replace(SUCCEEDED, card_last4=""), OWNER, SENDER)):
        assert "ending in" not in body


@pytest.mark.parametrize("reason", FailureReason)
def test_a_failure_keeps_the_promised_words(reason: FailureReason) -> None:
    meaning, remedy = PROMISED[reason.label]
    message = compose(replace(FAILED, reason=reason), OWNER, SENDER)
    assert reason.label in message["Subject"]
    for body in readable(message):
        for said in (reason.label, meaning, remedy, "Future calls may be dropped"):
            assert said in body


def test_what_to_click_is_bold() -> None:
    assert "<strong>Update Payment Method</strong>" in html_of(compose(FAILED, OWNER, SENDER))


def test_a_failure_before_a_price_was_fixed_names_no_amount() -> None:
    for body in readable(compose(replace(FAILED, amount_minor=None, currency=""), OWNER, SENDER)):
        assert "Amount" not in body
        assert "200 credits" in body


@pytest.mark.parametrize("notice", [FAILED, LOW], ids=lambda notice: notice.id)
def test_an_empty_balance_is_not_said_to_run_out_one_day(
    notice: TopoffFailed | BalanceLow,
) -> None:
    for balance, said in ((1, "When your balance reaches zero"), (0, "Your balance is empty")):
        for body in readable(compose(replace(notice, balance=balance), OWNER, SENDER)):
            assert said in body


@pytest.mark.parametrize(
    ("reason", "why", "todo"),
    [
        (Reason.EMPTY_TOPOFF_OFF, "auto top-off is off", "Buy Credits"),
        (Reason.EMPTY_TOPOFF_FAILED, "last auto top-off charge failed", "banner"),
        (Reason.EMPTY_TOPOFF_CAPPED, "reached the spending cap", "raise the spending cap"),
        (Reason.EMPTY_OVERDRAFT_USED, "has not completed yet", "Buy Credits"),
    ],
)
def test_dropped_calls_say_why_and_what_to_do(reason: Reason, why: str, todo: str) -> None:
    message = compose(replace(DROPPED, reason=reason), OWNER, SENDER)
    assert message["Subject"] == "Your calls are being dropped"
    for body in readable(message):
        assert why in body
        assert todo in body
        assert "Since" in body


@pytest.mark.parametrize("reason", sorted(set(Reason) - set(DROP_REASONS)))
def test_a_reason_that_no_email_is_sent_for_is_refused(reason: Reason) -> None:
    with pytest.raises(ValueError, match="no e-mail is sent"):
        compose(replace(DROPPED, reason=reason), OWNER, SENDER)


def test_a_low_balance_names_the_threshold_and_what_to_do() -> None:
    message = compose(LOW, OWNER, SENDER)
    assert message["Subject"] == "Your balance is low: 49 credits left"
    for body in readable(message):
        for said in ("threshold of 50 credits", "auto top-off is off", "Auto Top-Off"):
            assert said in body
        assert "Buy Credits" in body
        assert "AI Receptionist → Settings" in body


@pytest.mark.parametrize(
    ("balance", "subject"),
    [
        (1, "Your balance is low: 1 credit left"),
        (0, "Your balance is empty"),
        (-3, "Your balance is empty"),
    ],
)
def test_a_low_balance_of_few_or_none(balance: int, subject: str) -> None:
    assert compose(replace(LOW, balance=balance), OWNER, SENDER)["Subject"] == subject


def test_one_credit_is_singular() -> None:
    one = replace(SUCCEEDED, credits=1, balance=1)
    message = compose(one, OWNER, SENDER)
    assert message["Subject"] == "Auto top-off: 1 credit added"
    for body in readable(message):
        assert "1 credit" in body
        assert "1 credits" not in body
    for body in readable(compose(replace(LOW, balance=0, threshold=1), OWNER, SENDER)):
        assert "threshold of 1 credit," in body
        assert "0 credits" in body


def test_large_and_negative_balances_are_readable() -> None:
    for body in readable(compose(replace(SUCCEEDED, balance=12_345), OWNER, SENDER)):
        assert "12,345 credits" in body
    for body in readable(compose(replace(FAILED, balance=-7), OWNER, SENDER)):
        assert "-7 credits" in body


@pytest.mark.parametrize(
    ("cause", "subject", "why"),
    [
        (CorrectionCause.REFUND, "Payment refunded: 40 credits removed", "was refunded"),
        (
            CorrectionCause.DISPUTE,
            "Payment in dispute: 40 credits removed",
            "its credits are returned",
        ),
    ],
)
def test_credits_taken_back_are_explained(cause: CorrectionCause, subject: str, why: str) -> None:
    message = compose(replace(CLAWED_BACK, cause=cause), OWNER, SENDER)
    assert message["Subject"] == subject
    for body in readable(message):
        for said in (why, "For the $10.00 that went back, 40 credits were removed", "160 credits"):
            assert said in body
        assert "Auto top-off has been switched off" in body
        assert "AI Receptionist → Settings and enable Auto Top-Off" in body


def test_a_refund_of_less_than_a_credit_says_so() -> None:
    cents = replace(CLAWED_BACK, credits=0, amount_minor=1)
    for body in readable(compose(cents, OWNER, SENDER)):
        assert "For the $0.01 that went back, 0 credits were removed" in body


def test_auto_topoff_that_was_off_before_is_not_said_to_have_been_switched_off() -> None:
    for body in readable(compose(replace(CLAWED_BACK, switched_off=False), OWNER, SENDER)):
        assert "switched off" not in body
        assert "Auto top-off is off." in body


def test_a_purchase_has_its_receipt() -> None:
    message = compose(BOUGHT, OWNER, SENDER)
    assert message["Subject"] == "Receipt: 500 credits bought"
    for body in readable(message):
        for said in ("500 credits", "$125.00", "ending in 4444", "512 credits"):
            assert said in body
    assert BOUGHT.receipt_url in text_of(message)
    assert BOUGHT.receipt_url in PageText(html_of(message)).links


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timezone", "written"),
    [
        ("Europe/Rome", "March 6, 2026, 14:05 CET (Europe/Rome)"),
        ("America/New_York", "March 6, 2026, 08:05 EST (America/New_York)"),
        ("Pacific/Auckland", "March 7, 2026, 02:05 NZDT (Pacific/Auckland)"),
        ("America/Sao_Paulo", "March 6, 2026, 10:05 UTC-03 (America/Sao_Paulo)"),
        ("Asia/Kathmandu", "March 6, 2026, 18:50 UTC+0545 (Asia/Kathmandu)"),
        ("UTC", "March 6, 2026, 13:05 UTC"),
    ],
)
def test_time_is_the_accounts_own(timezone: str, written: str) -> None:
    for body in readable(compose(SUCCEEDED, replace(OWNER, timezone=timezone), SENDER)):
        assert written in body


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    hour_ms = 3_600_000
    first_ms = 1_792_888_200_000  # 2026-10-25 00:30 UTC, when Rome still has summer time
    first = compose(replace(SUCCEEDED, at_ms=first_ms), OWNER, SENDER)
    second = compose(replace(SUCCEEDED, at_ms=first_ms + hour_ms), OWNER, SENDER)
    assert "02:30 CEST (Europe/Rome)" in text_of(first)
    assert "02:30 CET (Europe/Rome)" in text_of(second)


@pytest.mark.parametrize("timezone", ["", "Mars/Olympus", "../../etc/passwd", "America", "\x00"])
def test_an_unknown_time_zone_costs_nobody_an_email(timezone: str) -> None:
    for body in readable(compose(SUCCEEDED, replace(OWNER, timezone=timezone), SENDER)):
        assert "March 6, 2026, 13:05 UTC" in body
