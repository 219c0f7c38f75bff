"""Settings → People: who may see the account and who may pay; where one is signed in oneself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.domain.email_address import normalize_email
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.errors import MemberChanged, MemberRefused
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.members import MAX_MEMBERS
from gatekeeper.ledger.sessions import SESSION_IDLE_S, SESSION_MAX_S
from gatekeeper.ledger.sign_ins import WINDOW_S
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.browser_words import browser_words
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.link_limits import invites_too_often
from gatekeeper.web.portal.visitor import acting_for, visitor, visitor_session

_PATH: Final = "/a/<account_id>/settings/access"
#: How many sessions are listed.
_SESSIONS: Final = 10
_A_ROLE: Final = {Role.OWNER: "an owner", Role.VIEWER: "a viewer"}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Invitation:
    """The form as it was filled in."""

    email: str = ""
    role: str = Role.VIEWER.value

    def member(self) -> Member:
        """Read whom it makes a member. Raises _Refused."""
        try:
            return Member(normalize_email(self.email), Role(self.role))
        except ValueError:
            raise _Refused(self._problems()) from None

    def _problems(self) -> dict[str, str]:
        problems = {}
        try:
            normalize_email(self.email)
        except ValueError:
            problems["email"] = "Please enter one e-mail address."
        if self.role not in set(Role):
            problems["role"] = "Please choose what they may do."
        return problems


class _Refused(Exception):
    """Nobody was invited: why, by field, and the status of the answer."""

    def __init__(self, problems: dict[str, str], status: int = 422) -> None:
        self.problems = problems
        self.status = status
        super().__init__("an invitation was refused")


def add_access(pages: PortalBlueprint, ledger: Ledger) -> None:
    """Add the page to those of Settings."""

    @pages.get(_PATH, right=Right.SEE)
    def access(account_id: str) -> ResponseReturnValue:
        return _page(ledger, account_id, Invitation(), {})

    # OPTIONS of this path is the page's, by its own right.
    @pages.post(_PATH, right=Right.PAY, provide_automatic_options=False)
    def invite(account_id: str) -> ResponseReturnValue:
        form = Invitation(request.form.get("email", ""), request.form.get("role", ""))
        try:
            _invite(ledger, account_id, form.member())
        except _Refused as refused:
            page = _page(ledger, account_id, form, refused.problems)
            return page, refused.status
        return redirect(url_for(".access", account_id=account_id), 303)

    _add_changes(pages, ledger)


def _invite(ledger: Ledger, account_id: str, new: Member) -> None:
    """Make somebody a member, and owe them the e-mail. Raises _Refused."""
    before = ledger.members.find(account_id, new.email)
    if before is not None and before.role is new.role:  # as after a form that was sent twice
        flash(f"{new.email} is {_A_ROLE[new.role]} already, and can sign in at any time.")
        return
    if before is not None:
        said = f"{new.email} is {_A_ROLE[before.role]} already: change that in the list above."
        raise _Refused({"email": said})
    if invites_too_often(ledger.sign_ins, account_id, new.email):
        minutes = WINDOW_S // 60
        said = f"So many invitations were sent that no more are sent for {minutes} minutes."
        raise _Refused({"email": said}, 429)
    try:
        is_new = ledger.members.set_member(
            account_id, new, by=acting_for(visitor()), must_be_new=True
        )
    except MemberChanged:
        said = f"{new.email} was given access by somebody else meanwhile: see the list above."
        raise _Refused({"email": said}) from None
    except MemberRefused:
        raise _Refused({"email": f"An account has at most {MAX_MEMBERS} members."}) from None
    if is_new:  # of a form that was sent twice at once, for one alone
        by = "" if visitor().acts_on_behalf else visitor().email
        ledger.sign_ins.invite(new.email, account_id, by=by)
        _note("member_invited", account_id)
    flash(
        f"{new.email} is {_A_ROLE[new.role]} now. An e-mail with a link to sign in is on its way."
    )


def _add_changes(pages: PortalBlueprint, ledger: Ledger) -> None:
    @pages.post(f"{_PATH}/role", right=Right.PAY)
    def set_role(account_id: str) -> ResponseReturnValue:
        email, role = request.form.get("email", ""), request.form.get("role", "")
        member = ledger.members.find(account_id, email)
        if member is None or role not in set(Role):
            flash("They are not a member any more. Nothing was changed.", "warning")
        elif email == visitor().email:
            flash("Another owner can change what you may do. Nothing was changed.", "warning")
        else:
            _set_role(ledger, account_id, member, Role(role))
        return redirect(url_for(".access", account_id=account_id), 303)

    @pages.post(f"{_PATH}/remove", right=Right.PAY)
    def remove_member(account_id: str) -> ResponseReturnValue:
        """Ask, and then take a member away, with what they can see at this moment."""
        email = request.form.get("email", "")
        if ledger.members.find(account_id, email) is None:
            flash("They are not a member any more. Nothing was changed.", "warning")
        elif "agreed" not in request.form:
            account = ledger.accounts.account(account_id)
            return render_template(
                "portal/access_remove.html", account=account, email=email, visitor=visitor()
            )
        else:
            _remove(ledger, account_id, email)
            if email == visitor().email and not visitor().is_admin:
                return redirect("/", 303)
        return redirect(url_for(".access", account_id=account_id), 303)


def _set_role(ledger: Ledger, account_id: str, member: Member, role: Role) -> None:
    after, by = replace(member, role=role), acting_for(visitor())
    try:
        ledger.members.set_member(account_id, after, by=by, instead_of=member)
    except MemberChanged:
        flash(f"{member.email} was changed or removed meanwhile. Nothing was changed.", "warning")
    except MemberRefused:
        _flash_own_address(member.email)
    else:
        _note("member_role_set", account_id)
        flash(f"{member.email} is {_A_ROLE[role]} now.")


def _remove(ledger: Ledger, account_id: str, email: str) -> None:
    try:
        ledger.members.remove_member(account_id, email, by=acting_for(visitor()))
    except MemberRefused:
        _flash_own_address(email)
    else:
        _note("member_removed", account_id)
        flash(f"{email} cannot see this account any more.")


def _flash_own_address(email: str) -> None:
    flash(f"{email} is the account's own address, and so stays an owner.", "warning")


def _note(event: str, account_id: str) -> None:
    _log.info(event, account=account_id, on_behalf=visitor().acts_on_behalf)


def _page(ledger: Ledger, account_id: str, form: Invitation, problems: dict[str, str]) -> str:
    own = visitor_session()
    sessions = ledger.sessions.of_person(visitor().email)
    return render_template(
        "portal/access.html",
        account=ledger.accounts.account(account_id),
        visitor=visitor(),
        members=ledger.members.of_account(account_id),
        role_labels={Role.OWNER: "Owner", Role.VIEWER: "Viewer"},
        form=form,
        problems=problems,
        sessions=sessions[:_SESSIONS],
        more_sessions=max(0, len(sessions) - _SESSIONS),
        is_own=lambda one: one.created_at_ms == own.created_at_ms,
        browser_words=browser_words,
        idle_hours=SESSION_IDLE_S // 3600,
        most_days=SESSION_MAX_S // 86_400,
    )
