"""The e-mail with a link to sign in by."""

from __future__ import annotations

from email.message import EmailMessage

from gatekeeper.mail.compose import SenderIdentity, write_message


def compose_sign_in(
    url: str, *, life_s: int, to: str, sender: SenderIdentity, at_ms: int, link_id: str
) -> EmailMessage:
    """Write the e-mail with a link that lives `life_s` from `at_ms` on.

    Raises ValueError if `to` is no address; the message does not name it.
    """
    facts = {"url": url, "life_min": life_s // 60}
    return write_message("sign_in", facts, to=to, sender=sender, at_ms=at_ms, unique=link_id)
