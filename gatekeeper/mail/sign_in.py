"""The e-mails with a link to sign in by: one was asked for, the other invites."""

from __future__ import annotations

from email.message import EmailMessage

from gatekeeper.domain.person import Role
from gatekeeper.mail.compose import SenderIdentity, one_line, write_message

_DAY_S = 86_400


def compose_sign_in(
    url: str, *, life_s: int, to: str, sender: SenderIdentity, at_ms: int, link_id: str
) -> EmailMessage:
    """Write the e-mail with a link that lives `life_s` from `at_ms` on.

    Raises ValueError if `to` is no address; the message does not name it.
    """
    facts = {"url": url, "life_min": life_s // 60}
    return write_message("sign_in", facts, to=to, sender=sender, at_ms=at_ms, unique=link_id)


def compose_invitation(
    url: str,
    *,
    life_s: int,
    account: str,
    role: Role,
    invited_by: str,
    to: str,
    sender: SenderIdentity,
    at_ms: int,
    link_id: str,
) -> EmailMessage:
    """Write the e-mail that invites somebody to an account, which it names.

    `invited_by` is an address, or "" when the product's own people invite. The link lives `life_s`
    from `at_ms` on. Raises ValueError if `to` is no address; the message does not name it.
    """
    facts = {
        "url": url,
        "life_days": life_s // _DAY_S,
        "account": one_line(account),
        "invited_by": invited_by,
        "may_pay": role is Role.OWNER,
    }
    return write_message("invitation", facts, to=to, sender=sender, at_ms=at_ms, unique=link_id)
