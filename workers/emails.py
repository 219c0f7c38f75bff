"""The queue `emails`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog
from redis.exceptions import LockNotOwnedError

from gatekeeper.bootstrap import Parts, parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.notice import KIND_OF_NOTICE, Notice, NoticeKind
from gatekeeper.jobs import email_task
from gatekeeper.ledger.keys import account_of
from gatekeeper.mail.compose import Recipient, compose

#: Longer than handing over an e-mail takes at most (see gatekeeper/mail/smtp.py).
_SENDING_S: Final = 60


def send_notice(notice_id: str) -> str:
    """Send a notice that is still owed, and strike it off once the mail server has it.

    Dying between the two sends it again, with the same Message-ID: no server lets both happen at
    once. Raises RecipientRefused, MailServerUnavailable; it is then still owed.
    """
    own = parts()
    notice = own.ledger.topoffs.notice(notice_id)
    if notice is None:
        return _give_up_expired(own, notice_id)
    kind = KIND_OF_NOTICE[type(notice)]
    with _alone(own, notice_id) as alone:
        if not alone:
            return "being_sent"
        task = email_task(kind, notice_id)
        if not own.ledger.owed.is_owed(notice.account_id, task):
            return "already_sent"
        _send(own, notice, own.ledger.accounts.account(notice.account_id))
        own.ledger.owed.strike_owed(notice.account_id, task)
    structlog.get_logger().info("email", account=notice.account_id, kind=kind.value)
    return "sent"


def _send(own: Parts, notice: Notice, account: Account) -> None:
    recipient = Recipient(account.name, account.email, account.timezone)
    own.mail.send(compose(notice, recipient, own.sender))


def _give_up_expired(own: Parts, notice_id: str) -> str:
    """Strike off a notice whose content is gone; an id belongs to one notice of one kind."""
    account_id = account_of(notice_id)
    for kind in NoticeKind:
        own.ledger.owed.strike_owed(account_id, email_task(kind, notice_id))
    return "expired"


@contextmanager
def _alone(own: Parts, notice_id: str) -> Iterator[bool]:
    """Keep a second job for the same notice from sending it at the same time.

    Should the one that sends it die, the next can send it once `_SENDING_S` have passed.
    """
    lock = own.queue_redis.lock(f"gatekeeper:sending:{notice_id}", timeout=_SENDING_S)
    if not lock.acquire(blocking=False):
        yield False
        return
    try:
        yield True
    finally:
        with suppress(LockNotOwnedError):
            lock.release()
