"""The e-mail with a link to sign in by, from the request to the page that it leads to."""

from __future__ import annotations

import re
from html import unescape

import pytest
from structlog.testing import capture_logs

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import NewAccount
from gatekeeper.domain.person import Member, Role
from gatekeeper.jobs import spec_of
from gatekeeper.ledger.sign_ins import sign_in_task
from gatekeeper.mail.smtp_errors import MailServerUnavailable
from gatekeeper.sandbox.mailbox import Behaviour, Mailbox
from gatekeeper.web.app import create_app
from workers.emails import send_sign_in

ACCOUNT, ADA, ADMIN = "acct_00000000000b", "ada@example.com", "oncall@gatekeeper.example"
BOB = "bob@example.com"


@pytest.fixture
def mailbox(own: Parts, running_mailbox: Mailbox) -> Mailbox:
    own.ledger.accounts.open_account(NewAccount(ACCOUNT, "Ada & <b>Co</b>", ADA))
    running_mailbox.behaviour = Behaviour()
    running_mailbox.deliveries.clear()
    return running_mailbox


def is_owed(own: Parts, link_id: str) -> bool:
    return own.ledger.owed.is_owed(link_id, sign_in_task(link_id))


@pytest.mark.parametrize("email", [ADA, ADMIN])
def test_it_is_sent_once_and_leads_to_the_page(own: Parts, mailbox: Mailbox, email: str) -> None:
    link_id = own.ledger.sign_ins.request_link(email, "/")
    assert [send_sign_in(link_id) for _ in range(3)] == ["sent", "already_sent", "already_sent"]
    assert not is_owed(own, link_id)
    (mail,) = mailbox.deliveries.all()
    assert mail.recipients == (email,)
    assert mail.header("Subject") == "Sign in to AI Receptionist"
    (url,) = re.findall(r"http://127\.0\.0\.1/sign-in/\S+", mail.text or "")
    assert f'href="{url}"' in (mail.html or "")
    page = create_app(own).test_client().get(url.removeprefix("http://127.0.0.1"))
    assert page.status_code == 200
    assert email in page.text


def test_a_stranger_gets_nothing(own: Parts, mailbox: Mailbox) -> None:
    link_id = own.ledger.sign_ins.request_link("nobody@example.com", "/")
    assert send_sign_in(link_id) == "unknown_address"
    assert mailbox.deliveries.all() == []
    assert not is_owed(own, link_id)


def invite(own: Parts, role: Role, *, by: str = ADA) -> str:
    own.ledger.members.set_member(ACCOUNT, Member(BOB, role))
    return own.ledger.sign_ins.invite(BOB, ACCOUNT, by=by)


@pytest.mark.parametrize("role", Role)
def test_an_invitation_is_sent_once_and_says_who_to_what_and_how_long(
    own: Parts, mailbox: Mailbox, role: Role
) -> None:
    link_id = invite(own, role)
    assert [send_sign_in(link_id) for _ in range(3)] == ["sent", "already_sent", "already_sent"]
    (mail,) = mailbox.deliveries.all()
    assert mail.recipients == (BOB,)
    assert mail.header("Subject") == "You are invited to AI Receptionist"
    for body in (mail.text or "", unescape(mail.html or "")):
        assert f"{ADA} has given you access to the account" in body
        assert "for 7 days" in body
        assert ("buy credits" in body) is (role is Role.OWNER)
        assert own.sign_in_links.url(link_id) in body
    assert "account Ada & <b>Co</b>:" in (mail.text or "")
    assert "Ada &amp; &lt;b&gt;Co&lt;/b&gt;" in (mail.html or "")


def test_an_invitation_by_the_products_own_people_names_nobody(
    own: Parts, mailbox: Mailbox
) -> None:
    send_sign_in(invite(own, Role.VIEWER, by=""))
    (mail,) = mailbox.deliveries.all()
    assert "We have given you access to the account" in (mail.text or "")


def test_who_was_removed_meanwhile_is_not_invited(own: Parts, mailbox: Mailbox) -> None:
    link_id = invite(own, Role.VIEWER)
    own.ledger.members.remove_member(ACCOUNT, BOB)
    assert send_sign_in(link_id) == "no_longer_invited"
    assert mailbox.deliveries.all() == []
    assert not is_owed(own, link_id)


def test_what_is_too_late_is_given_up(own: Parts, mailbox: Mailbox) -> None:
    link_id = own.ledger.sign_ins.request_link(ADA, "/")
    own.ledger.client.delete(own.ledger.keys.sign_in(link_id))
    assert send_sign_in(link_id) == "expired"
    assert mailbox.deliveries.all() == []
    assert not is_owed(own, link_id)


def test_what_cannot_be_sent_stays_owed(own: Parts, mailbox: Mailbox) -> None:
    link_id = own.ledger.sign_ins.request_link(ADA, "/")
    mailbox.behaviour = Behaviour(temporary_failure=True)
    with pytest.raises(MailServerUnavailable):
        send_sign_in(link_id)
    assert is_owed(own, link_id)
    mailbox.behaviour = Behaviour()
    assert send_sign_in(link_id) == "sent"


def test_the_link_stands_in_the_e_mail_alone(own: Parts, mailbox: Mailbox) -> None:
    link_id = own.ledger.sign_ins.request_link(ADA, "/")
    signature = own.sign_in_links.url(link_id).rpartition(".")[2]
    with capture_logs() as events:
        send_sign_in(link_id)
    assert events == [{"event": "sign_in_email", "outcome": "sent", "log_level": "info"}]
    assert signature not in spec_of(sign_in_task(link_id)).describe(link_id)
    assert signature in (mailbox.deliveries.all()[0].text or "")
