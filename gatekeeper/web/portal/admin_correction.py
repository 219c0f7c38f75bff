"""Credits added or removed by hand: the form, and what is wrong with what was typed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

from gatekeeper.domain.account import MAX_CREDITS
from gatekeeper.web.portal.checkout_visits import TOKEN_FIELD, new_form_token
from gatekeeper.web.portal.whole_number import read_whole_number

ADD: Final = "add"
REMOVE: Final = "remove"
REASON_MAX_CHARS: Final = 200
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class CorrectionForm:
    """What was typed. The token makes one rendering of the form one correction, however often sent.

    That is so for as long as the ledger keeps references of payments (ledger/keys.py).
    """

    direction: str
    credits: str
    reason: str
    token: str

    @classmethod
    def empty(cls) -> Self:
        """Make a form to be filled in."""
        return cls(ADD, "", "", new_form_token())

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> Self:
        """Read a form that was sent."""
        direction = REMOVE if fields.get("direction") == REMOVE else ADD
        token = fields.get(TOKEN_FIELD, "")
        if not _TOKEN.fullmatch(token):  # no form of ours: it is shown, and sent again
            return cls.empty()
        reason = fields.get("reason", "").strip()
        return cls(direction, fields.get("credits", ""), reason, token)

    @property
    def count(self) -> int:
        """How many credits."""
        return read_whole_number(self.credits)

    @property
    def reference(self) -> str:
        """What the ledger applies the correction once for."""
        return f"portal-{self.token}"

    @property
    def problems(self) -> dict[str, str]:
        """What cannot be used, by field."""
        problems: dict[str, str] = {}
        if not 1 <= self.count <= MAX_CREDITS:
            problems["credits"] = f"Enter a whole number of credits from 1 to {MAX_CREDITS:,}."
        if not self.reason or len(self.reason) > REASON_MAX_CHARS or not self.reason.isprintable():
            problems["reason"] = f"Say why, in 1 to {REASON_MAX_CHARS} characters."
        return problems

    def anew(self) -> Self:
        """Make the same form one of its own."""
        return replace(self, token=new_form_token())
