"""Whom a page is served to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import g

from gatekeeper.domain.person import Role
from gatekeeper.ledger.sessions import Session


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, as they stand to the account of the page, if it is about one.

    `role` is None for an admin who is no member of it.
    """

    email: str
    is_admin: bool
    account_id: str = ""
    role: Role | None = None

    @property
    def may_pay(self) -> bool:
        """Whether they may change what costs money."""
        return self.is_admin or self.role is Role.OWNER

    @property
    def acts_on_behalf(self) -> bool:
        """Whether they are here as an admin: what they do is done in the name of another."""
        return self.is_admin and self.role is not Role.OWNER


def visitor() -> Visitor:
    """Whom this page is served to. Only on a route that asks for a sign-in."""
    return cast(Visitor, g.visitor)


def visitor_session() -> Session:
    """How they signed in. Only on a route that asks for a sign-in."""
    return cast(Session, g.visitor_session)


def acting_for(one: Visitor) -> str:
    """Say in an entry who did it; an admin who acts for the account is told from a member."""
    return f"{one.email} (admin)" if one.acts_on_behalf else one.email
