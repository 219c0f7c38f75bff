"""Who gets an e-mail about an account, each of them once."""

from __future__ import annotations

import pytest

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.jobs import email_task
from gatekeeper.mail.smtp_errors import MailServerUnavailable, RecipientRefused
from gatekeeper.sandbox.mailbox import Behaviour, Mailbox
from tests.payments.till import Debtor, Till
from workers.charges import charge
from workers.emails import send_notice

ADA, BOB, CAT = "ada@example.com", "bob@example.com", "cat@example.com"
NOTHING: frozenset[NoticeKind] = frozenset()


@pytest.fixture
def mailbox(running_mailbox: Mailbox) -> Mailbox:
    running_mailbox.behaviour = Behaviour()
    running_mailbox.deliveries.clear()
    return running_mailbox


@pytest.fixture
def debtor(till: Till) -> Debtor:
    return till.debtor()


@pytest.fixture
def notice_id(own: Parts, debtor: Debtor) -> str:
    """The notice of a top-off that succeeded."""
    charge(debtor.topoff_id)
    shard = own.ledger.keys.shard_of(debtor.account_id)
    (task,) = (task for task, _ in own.ledger.owed.tasks(shard) if task.startswith("email:"))
    return task.rpartition(":")[2]


def is_owed(own: Parts, debtor: Debtor, notice_id: str) -> bool:
    task = email_task(NoticeKind.TOPOFF_SUCCEEDED, notice_id)
    return own.ledger.owed.is_owed(debtor.account_id, task)


def received(mailbox: Mailbox) -> list[str]:
    return sorted(address for mail in mailbox.deliveries.all() for address in mail.recipients)


def add(own: Parts, debtor: Debtor, *members: Member) -> None:
    for member in members:
        own.ledger.members.set_member(debtor.account_id, member)


def test_owners_get_it_and_viewers_do_not(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    add(own, debtor, Member(BOB, Role.OWNER), Member(CAT, Role.VIEWER))
    assert send_notice(notice_id) == "sent"
    assert received(mailbox) == [ADA, BOB]
    assert not is_owed(own, debtor, notice_id)


def test_it_goes_to_those_who_chose_it(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    this, other = NoticeKind.TOPOFF_SUCCEEDED, NoticeKind.BALANCE_LOW
    add(own, debtor, Member(ADA, Role.OWNER, frozenset({other})))
    add(own, debtor, Member(BOB, Role.VIEWER, frozenset({this})))
    send_notice(notice_id)
    assert received(mailbox) == [BOB]


def test_somebody_is_told_even_if_nobody_chose_it(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    add(own, debtor, Member(ADA, Role.OWNER, NOTHING), Member(CAT, Role.VIEWER))
    send_notice(notice_id)
    assert received(mailbox) == [ADA]


def test_each_has_a_message_of_their_own(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    add(own, debtor, Member(BOB, Role.OWNER))
    send_notice(notice_id)
    first, second = mailbox.deliveries.all()
    assert first.message_id != second.message_id
    assert [first.header("To"), second.header("To")] == [ADA, BOB]


def test_a_repetition_tells_nobody_twice(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    """As after a job that was killed once everybody had it."""
    add(own, debtor, Member(BOB, Role.OWNER))
    send_notice(notice_id)
    task = email_task(NoticeKind.TOPOFF_SUCCEEDED, notice_id)
    own.ledger.owed.note_owed(debtor.account_id, task)
    assert send_notice(notice_id) == "sent"
    assert received(mailbox) == [ADA, BOB]


def test_one_who_cannot_be_reached_holds_up_nobody(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    add(own, debtor, Member(BOB, Role.OWNER), Member(CAT, Role.OWNER))
    mailbox.behaviour = Behaviour(refuse=frozenset({ADA}))
    for _ in range(3):
        with pytest.raises(RecipientRefused):
            send_notice(notice_id)
    assert received(mailbox) == [BOB, CAT]
    assert is_owed(own, debtor, notice_id)
    mailbox.behaviour = Behaviour()
    assert send_notice(notice_id) == "sent"
    assert received(mailbox) == [ADA, BOB, CAT]


def test_a_server_that_is_away_leaves_it_owed_to_all(
    own: Parts, mailbox: Mailbox, debtor: Debtor, notice_id: str
) -> None:
    add(own, debtor, Member(BOB, Role.OWNER))
    mailbox.behaviour = Behaviour(temporary_failure=True)
    with pytest.raises(MailServerUnavailable):
        send_notice(notice_id)
    assert received(mailbox) == []
    mailbox.behaviour = Behaviour()
    assert send_notice(notice_id) == "sent"
    assert received(mailbox) == [ADA, BOB]
