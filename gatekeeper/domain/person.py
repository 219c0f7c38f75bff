"""People: who may look at an account, who may pay for it, and who is told about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gatekeeper.domain.notice import NoticeKind


class Role(StrEnum):
    """What a member of an account may do."""

    OWNER = "owner"  # look, and change whatever costs money
    VIEWER = "viewer"  # look


_USUAL_NOTICES: Final[dict[Role, frozenset[NoticeKind]]] = {
    Role.OWNER: frozenset(NoticeKind),
    Role.VIEWER: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Member:
    """One person's place in an account.

    `email` is as `normalize_email` writes it. `chosen_notices` are the e-mails that were chosen for
    this person; None is what is usual for the role: owners get all, viewers none.
    """

    email: str
    role: Role
    chosen_notices: frozenset[NoticeKind] | None = None

    @property
    def notices(self) -> frozenset[NoticeKind]:
        """The e-mails that this person gets."""
        if self.chosen_notices is None:
            return _USUAL_NOTICES[self.role]
        return self.chosen_notices

    def with_notices(self, kinds: frozenset[NoticeKind]) -> Member:
        """Choose the e-mails for this person.

        What is usual for the role stays so: they then also get, or not, what a later version adds.
        """
        return replace(self, chosen_notices=None if kinds == _USUAL_NOTICES[self.role] else kinds)
