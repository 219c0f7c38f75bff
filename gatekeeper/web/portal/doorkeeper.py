"""Who is signed in, and whether they may have the page that they ask for.

Membership is looked up for each request: who is removed from an account has no page of it any more.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode

import redis
from flask import g, redirect, request, session
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response

from gatekeeper.domain.account import is_account_id
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sessions import Began, Session
from gatekeeper.web.portal.cookies import SessionCookie
from gatekeeper.web.portal.visitor import Visitor

SIGN_IN_PATH: Final = "/sign-in"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Right(StrEnum):
    """What one must be to be served by a route."""

    ANYONE = "anyone"
    SIGNED_IN = "signed_in"
    SEE = "see"  # a member of the account in the path, or an admin
    PAY = "pay"  # an owner of it, or an admin
    ADMIN = "admin"


class Doorkeeper:
    """Knows everybody by their session. Raises redis.RedisError wherever it has to ask."""

    def __init__(self, ledger: Ledger, admins: Collection[str], cookie: SessionCookie) -> None:
        self._ledger = ledger
        self._admins = admins
        self._cookie = cookie

    def admit(self, right: Right) -> Response | None:
        """Let the request pass, or answer it. Raises NotFound, Forbidden.

        Afterwards `visitor()` is who it is, and `visitor_session()` how they signed in, unless the
        route is for anyone.
        """
        if right is Right.ANYONE:
            return None
        found = self.signed_in()
        if found is None:
            return _reload() if _is_by_page() else self.to_sign_in()
        # Who is told that there is nothing is still somebody who is signed in.
        g.visitor, g.visitor_session = self._somebody(found), found
        g.visitor = self._visitor(found, right)
        if right is Right.PAY and not g.visitor.may_pay:
            raise Forbidden
        return None

    def recognize(self) -> None:
        """Note who asks where there is no page, if anybody is signed in and can be told."""
        with suppress(redis.RedisError):
            if (found := self.signed_in()) is not None:
                g.visitor = self._somebody(found)

    def signed_in(self) -> Session | None:
        """Find the session of who asks; None when nobody is signed in."""
        token = self._cookie.read(request)
        if not token:
            return None
        sessions = self._ledger.sessions
        return sessions.look(token) if _is_by_page() else sessions.use(token)

    def to_sign_in(self) -> Response:
        """Send the browser to sign in, and back here if it asked for a page."""
        # With the root: the dashboard is an application of its own below the portal's.
        path = request.root_path + request.path
        if request.query_string:
            path = f"{path}?{request.query_string.decode('ascii', 'replace')}"
        if request.method not in _SAFE_METHODS or path == "/":
            return redirect(SIGN_IN_PATH, 303)
        return redirect(f"{SIGN_IN_PATH}?{urlencode({'next': path})}", 303)

    def is_admin(self, email: str) -> bool:
        """Tell whether an address is one of the product's own people."""
        return email in self._admins

    def start_session(self, email: str, next_path: str, began_by: Began) -> Response:
        """Sign somebody in and go on. What the browser had before, session or forms, is over."""
        self._end_own()
        answer = redirect(next_path, 303)
        token = self._ledger.sessions.start(email, request.user_agent.string, began_by)
        self._cookie.give(answer, token)
        return answer

    def end_session(self, next_path: str) -> Response:
        """Sign this browser out and go on."""
        self._end_own()
        answer = redirect(next_path, 303)
        self._cookie.take(answer)
        return answer

    def end_sessions(self, email: str, next_path: str) -> Response:
        """Sign somebody out of every browser and go on."""
        self._ledger.sessions.end_all(email)
        return self.end_session(next_path)

    def _end_own(self) -> None:
        session.clear()
        if token := self._cookie.read(request):
            self._ledger.sessions.end(token)

    def _visitor(self, found: Session, right: Right) -> Visitor:
        somebody = self._somebody(found)
        if right is Right.SIGNED_IN or (right is Right.ADMIN and somebody.is_admin):
            return somebody
        if right is Right.ADMIN:
            raise NotFound
        return self._member(somebody.email, is_admin=somebody.is_admin)

    def _somebody(self, found: Session) -> Visitor:
        # The product's own site vouches for the members of accounts alone.
        is_admin = self.is_admin(found.email) and found.began_by is Began.LINK
        return Visitor(found.email, is_admin)

    def _member(self, email: str, *, is_admin: bool) -> Visitor:
        account_id = str((request.view_args or {})["account_id"])
        if not is_account_id(account_id):
            raise NotFound
        member = self._ledger.members.find(account_id, email)
        if member is None and not (is_admin and self._exists(account_id)):
            raise NotFound
        role = None if member is None else member.role
        return Visitor(email, is_admin, account_id, role)

    def _exists(self, account_id: str) -> bool:
        try:
            self._ledger.members.of_account(account_id)
        except UnknownAccount:
            return False
        return True


def _is_by_page() -> bool:
    """Whether an open page asks by itself, for what is new on it: nobody need sit before it.

    None of that keeps a session alive. The portal's pages ask by htmx, the dashboard's by jQuery.
    https://four.htmx.org/reference/headers/HX-Request/ https://api.jquery.com/jQuery.ajax/#headers
    """
    headers = request.headers
    is_by_script = "HX-Request" in headers or headers.get("X-Requested-With") == "XMLHttpRequest"
    return is_by_script and request.method in _SAFE_METHODS


def _reload() -> Response:
    """Let a page whose session is over be asked for anew, which leads to signing in."""
    return Response(status=204, headers={"HX-Refresh": "true"})
