"""The queue `emails`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from redis.exceptions import LockNotOwnedError
from redis.lock import Lock

from gatekeeper.bootstrap import Parts, parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.notice import KIND_OF_NOTICE, Notice, NoticeKind
from gatekeeper.jobs import email_task
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.sign_ins import SignIn, sign_in_task
from gatekeeper.mail.compose import Recipient, compose
from gatekeeper.mail.sign_in import compose_invitation, compose_sign_in
from gatekeeper.mail.smtp_errors import MailServerUnavailable, RecipientRefused

#: Longer than handing over one e-mail takes at most (see gatekeeper/mail/smtp.py).
_SENDING_S: Final = 60


def send_notice(notice_id: str) -> str:
    """Send a notice that is still owed, and strike it off once all who want it have it.

    Whom it was sent to is noted one by one, so a repetition sends it to the others alone. Dying
    between sending and noting sends that one again, with the same Message-ID: no server lets both
    happen at once. Raises RecipientRefused, MailServerUnavailable; it is then still owed.
    """
    own = parts()
    notice = own.ledger.topoffs.notice(notice_id)
    if notice is None:
        return _give_up_expired(own, notice_id)
    kind = KIND_OF_NOTICE[type(notice)]
    with _alone(own, notice_id) as lock:
        if lock is None:
            return "being_sent"
        task = email_task(kind, notice_id)
        if not own.ledger.owed.is_owed(notice.account_id, task):
            return "already_sent"
        _send_to_each(own, notice, lock)
        own.ledger.owed.strike_owed(notice.account_id, task)
    structlog.get_logger().info("email", account=notice.account_id, kind=kind.value)
    return "sent"


def _send_to_each(own: Parts, notice: Notice, lock: Lock) -> None:
    """Send a notice to those who do not have it yet.

    One who cannot be reached holds up nobody else: the first failure is raised in the end.
    """
    account = own.ledger.accounts.account(notice.account_id)
    told = own.ledger.members.told(notice.id)
    failures: list[RecipientRefused | MailServerUnavailable] = []
    for email in _readers(own, notice, account):
        if email in told:
            continue
        lock.reacquire()
        recipient = Recipient(account.name, email, account.timezone)
        try:
            own.mail.send(compose(notice, recipient, own.sender))
        except (RecipientRefused, MailServerUnavailable) as failure:
            failures.append(failure)
        else:
            own.ledger.members.note_told(notice.id, email)
    if failures:
        raise failures[0]


def _readers(own: Parts, notice: Notice, account: Account) -> list[str]:
    """List the members who want such a notice; somebody is told in any case."""
    kind = KIND_OF_NOTICE[type(notice)]
    members = own.ledger.members.of_account(account.id)
    return [one.email for one in members if kind in one.notices] or [account.email]


def send_sign_in(link_id: str) -> str:
    """Send a link to sign in by, if it is still owed and its address is somebody's.

    The signed link exists only here and in the e-mail. Raises RecipientRefused,
    MailServerUnavailable; it is then still owed, and given up once the link is too old.
    """
    own = parts()
    task = sign_in_task(link_id)
    with _alone(own, link_id) as lock:
        if lock is None:
            return "being_sent"
        if not own.ledger.owed.is_owed(link_id, task):
            return "already_sent"
        outcome = _send_link(own, link_id)
        own.ledger.owed.strike_owed(link_id, task)
    structlog.get_logger().info("sign_in_email", outcome=outcome)
    return outcome


def _send_link(own: Parts, link_id: str) -> str:
    asked = own.ledger.sign_ins.find(link_id)
    if asked is None:
        return "expired"
    url = own.sign_in_links.url(link_id)
    if asked.invited_to:
        return _invite(own, asked, url, link_id)
    if asked.email not in own.settings.admins and not own.ledger.members.accounts_of(asked.email):
        return "unknown_address"
    message = compose_sign_in(
        url,
        life_s=asked.life_s,
        to=asked.email,
        sender=own.sender,
        at_ms=asked.at_ms,
        link_id=link_id,
    )
    own.mail.send(message)
    return "sent"


def _invite(own: Parts, asked: SignIn, url: str, link_id: str) -> str:
    member = own.ledger.members.find(asked.invited_to, asked.email)
    if member is None:
        return "no_longer_invited"
    account = own.ledger.accounts.account(asked.invited_to)
    message = compose_invitation(
        url,
        life_s=asked.life_s,
        account=account.name,
        role=member.role,
        invited_by=asked.invited_by,
        to=asked.email,
        sender=own.sender,
        at_ms=asked.at_ms,
        link_id=link_id,
    )
    own.mail.send(message)
    return "sent"


def _give_up_expired(own: Parts, notice_id: str) -> str:
    """Strike off a notice whose content is gone; an id belongs to one notice of one kind."""
    account_id = account_of(notice_id)
    for kind in NoticeKind:
        own.ledger.owed.strike_owed(account_id, email_task(kind, notice_id))
    return "expired"


@contextmanager
def _alone(own: Parts, record_id: str) -> Iterator[Lock | None]:
    """Keep a second job for the same e-mail from sending it at the same time; it gets no lock.

    Should the one that sends it die, the next can send it once `_SENDING_S` have passed.
    """
    lock = own.queue_redis.lock(f"gatekeeper:sending:{record_id}", timeout=_SENDING_S)
    if not lock.acquire(blocking=False):
        yield None
        return
    try:
        yield lock
    finally:
        with suppress(LockNotOwnedError):
            lock.release()
