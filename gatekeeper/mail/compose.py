"""Notices into e-mails (R11)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from gatekeeper.domain.email_address import is_email_address
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.notice import (
    KIND_OF_NOTICE,
    CallsDropped,
    CreditsClawedBack,
    Notice,
    SpendingCapReached,
    TopoffFailed,
)
from gatekeeper.domain.phrasing import count_credits, write_moment
from gatekeeper.mail.links import links_of
from gatekeeper.mail.wording import CLAWBACK_ADVICE, FAILURE_ADVICE, Advice, drop_advice, outlook


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a notice goes to: the account's name, its e-mail address, and its IANA time zone."""

    name: str
    email: str
    timezone: str


@dataclass(frozen=True, slots=True)
class SenderIdentity:
    """In whose name e-mail is sent, and where its readers are pointed.

    Raises ValueError for a `mail_from` or `support_email` that is no plain ASCII address
    ("billing@example.com", without a name), or a `portal_url` that is not http or https.
    `portal_url` is where the customers' pages begin, without a slash at its end.
    """

    mail_from: str
    product_name: str
    support_email: str | None = None
    portal_url: str | None = None

    def __post_init__(self) -> None:
        for what in ("mail_from", "support_email"):
            address = getattr(self, what)
            if address is not None and not (address.isascii() and is_email_address(address)):
                raise ValueError(f"{what} must be a plain e-mail address")
        if self.portal_url is not None and not _is_web_url(self.portal_url):
            raise ValueError("portal_url must be an http or https URL")


def compose(notice: Notice, recipient: Recipient, sender: SenderIdentity) -> EmailMessage:
    """Write a notice as an e-mail, in text and HTML.

    The Message-ID follows from the notice's id and the address alone, so a repeated delivery can be
    recognised. A time zone that isn't known is replaced by UTC, which the e-mail then names.

    There is no List-Unsubscribe: these e-mails are about charges and dropped calls, and who gets
    them is chosen for the account, by its owners. The last lines lead there.

    Raises ValueError if the recipient's address is none, or if the notice is about dropped calls
    for a reason that none is sent for; the message names neither the address nor the account.
    """
    kind = KIND_OF_NOTICE[type(notice)]
    facts: dict[str, object] = {
        "notice": notice,
        "advice": _advice(notice),
        "account": one_line(recipient.name),
        "at": write_moment(notice.at_ms, recipient.timezone),
    }
    if isinstance(notice, SpendingCapReached):
        facts["resumes_at"] = write_moment(notice.resumes_at_ms, recipient.timezone)
    if sender.portal_url is not None:
        facts["links"] = links_of(kind, notice.account_id, sender.portal_url)
    return write_message(
        kind.value,
        facts,
        to=recipient.email,
        sender=sender,
        at_ms=notice.at_ms,
        unique=f"{notice.id} {recipient.email}",
    )


def write_message(
    folder: str,
    facts: Mapping[str, object],
    *,
    to: str,
    sender: SenderIdentity,
    at_ms: int,
    unique: str,
) -> EmailMessage:
    """Write the e-mail of a template folder. Its Message-ID follows from `unique` alone.

    Raises ValueError if `to` is no address; the message does not name it.
    """
    if not is_email_address(to):
        raise ValueError("the recipient's e-mail address is not one")
    facts = {"links": None, **facts, "sender": sender}
    subject = _render(f"{folder}/subject.txt", facts).strip()
    message = _headed(to, sender, subject, at_ms=at_ms, unique=unique)
    # Quoted-printable passes servers that carry seven bits a byte or fold long lines.
    message.set_content(_render(f"{folder}/body.txt", facts), cte="quoted-printable")
    html = _render(f"{folder}/body.html", {**facts, "subject": subject})
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message


def _headed(
    to: str, sender: SenderIdentity, subject: str, *, at_ms: int, unique: str
) -> EmailMessage:
    """Start the message. No header holds text that a customer chose, but for their address."""
    message = EmailMessage(policy=policy.SMTP)
    mail_from = _address(sender.mail_from, _unreserved(sender.product_name))
    message["From"] = mail_from
    message["To"] = _address(to)
    if sender.support_email is not None:
        message["Reply-To"] = _address(sender.support_email)
    message["Subject"] = subject
    message["Date"] = datetime.fromtimestamp(at_ms / 1000, UTC)
    message["Message-ID"] = _message_id(unique, mail_from.domain)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: vacation responders stay silent
    return message


def _advice(notice: Notice) -> Advice | None:
    if isinstance(notice, TopoffFailed):
        return FAILURE_ADVICE[notice.reason]
    if isinstance(notice, CallsDropped):
        return drop_advice(notice.reason)
    if isinstance(notice, CreditsClawedBack):
        return CLAWBACK_ADVICE[notice.cause]
    return None


def one_line(text: str) -> str:
    """Drop what could break a line, turn the direction of writing, or not be encoded."""
    kept = (
        " " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character
        for character in text
        if unicodedata.category(character) != "Cs"
        and unicodedata.bidirectional(character) not in _DIRECTION_OVERRIDES
    )
    return " ".join("".join(kept).split())


_DIRECTION_OVERRIDES: Final = frozenset(
    {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
)


def _unreserved(name: str) -> str:
    """Leave out of a display name what RFC 5322 reserves.

    Such a name would have to be quoted, and Python 3.11 drops the quotes when it folds a long
    one, which makes a comma in it the start of another address
    (https://github.com/python/cpython/issues/80222).
    """
    return one_line(re.sub(r'[()<>\[\]:;@\\,."]', " ", name))


def _message_id(unique: str, domain: str) -> str:
    """Digest it: it may be longer than a header's line, or hold what RFC 5322 forbids."""
    digest = hashlib.blake2b(unique.encode(), digest_size=16).hexdigest()
    return f"<{digest}@{domain}>"


def _address(mailbox: str, name: str = "") -> Address:
    username, _, domain = mailbox.partition("@")
    return Address(name, username, domain)


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _render(name: str, facts: dict[str, object]) -> str:
    return _TEMPLATES.get_template(name).render(facts)


_TEMPLATES: Final = Environment(
    loader=PackageLoader("gatekeeper.mail"),
    autoescape=select_autoescape(["html"], default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters |= {"credits": count_credits, "money": format_minor, "outlook": outlook}
