"""The links by which people sign in: made where the e-mail is written, read where they lead.

A link is its id, signed. The id alone stands in the ledger and in jobs; who reads those cannot make
a link of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from itsdangerous import BadSignature, Signer

from gatekeeper.ledger.sign_ins import is_link_id

#: Below this path the portal takes links.
LINK_PATH: Final = "/sign-in/link"


class SignInLinks:
    """Makes and reads links. `keys` are secret, the newest last: that one signs, all are read."""

    def __init__(self, origin: str, keys: Sequence[str]) -> None:
        self._origin = origin
        self._signer = Signer(list(keys), salt=b"sign-in-link", digest_method=hashlib.sha256)

    def url(self, link_id: str) -> str:
        """Make the link of an id."""
        return f"{self._origin}{LINK_PATH}/{self._signer.sign(link_id).decode()}"

    def read(self, token: str) -> str | None:
        """Read the id from a link's last part; None when it was not made here."""
        try:
            link_id = self._signer.unsign(token).decode()
        except (BadSignature, UnicodeDecodeError):
            return None
        return link_id if is_link_id(link_id) else None
