"""Signing in by a link that comes by e-mail, and signing out.

Whether an address is known is asked where the e-mail is sent, not here: every answer below is the
same, and takes the same, whoever is asked for. Mail scanners open links, so opening one shows a
button, and pressing that uses the link up.

The link of an invitation lies in a mailbox for days, and whoever invites need not know whom. So it
works only while its person is a member of the account that invited, and signs in by itself only who
is known nowhere else; others are led to the form, and sent an ordinary link.
"""

from __future__ import annotations

from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.domain.email_address import normalize_email
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sessions import SESSION_IDLE_S, Began
from gatekeeper.ledger.sign_ins import INVITATION_LIFE_S, LINK_LIFE_S, WINDOW_S, SignIn
from gatekeeper.sign_in_links import LINK_PATH, SignInLinks
from gatekeeper.web.portal.blueprint import PortalBlueprint, answer_message
from gatekeeper.web.portal.doorkeeper import SIGN_IN_PATH, Doorkeeper, Right
from gatekeeper.web.portal.link_limits import asks_too_often
from gatekeeper.web.portal.paths import local_path
from gatekeeper.web.portal.visitor import visitor

_DAY_S: Final = 86_400

_log = structlog.get_logger()


def sign_in_pages(doorkeeper: Doorkeeper, ledger: Ledger, links: SignInLinks) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("sign_in", doorkeeper)
    sign_ins = ledger.sign_ins

    @pages.get(SIGN_IN_PATH, right=Right.ANYONE)
    def ask() -> ResponseReturnValue:
        next_path = local_path(request.args.get("next"))
        if doorkeeper.signed_in() is not None:
            return redirect(next_path, 303)
        return _form(next_path)

    @pages.post(SIGN_IN_PATH, right=Right.ANYONE)
    def request_link() -> ResponseReturnValue:
        next_path = local_path(request.form.get("next"))
        typed = request.form.get("email", "")
        try:
            email = normalize_email(typed)
        except ValueError:
            return _form(next_path, typed, {"email": "Please enter one e-mail address."}), 422
        if asks_too_often(sign_ins, email, request.remote_addr):
            return _too_often()
        sign_ins.request_link(email, next_path)
        return redirect(url_for("sign_in.sent"), 303)

    @pages.get("/sign-in/sent", right=Right.ANYONE)
    def sent() -> ResponseReturnValue:
        return render_template("portal/sent.html", life_min=LINK_LIFE_S // 60)

    @pages.get(f"{LINK_PATH}/<token>", right=Right.ANYONE)
    def open_link(token: str) -> ResponseReturnValue:
        link_id = links.read(token)
        asked = sign_ins.find(link_id) if link_id else None
        if asked is None:
            return _dead_link(doorkeeper)
        if asked.invited_to and (answer := _instead(asked, doorkeeper, ledger)):
            return answer
        hours = SESSION_IDLE_S // 3600
        return render_template("portal/link.html", email=asked.email, idle_hours=hours)

    @pages.post(f"{LINK_PATH}/<token>", right=Right.ANYONE)
    def use_link(token: str) -> ResponseReturnValue:
        link_id = links.read(token)
        asked = sign_ins.use_link(link_id) if link_id else None
        if asked is None:
            return _dead_link(doorkeeper)
        if asked.invited_to and (answer := _instead(asked, doorkeeper, ledger)):
            return answer
        _log.info("signed_in", by="link")
        return doorkeeper.start_session(asked.email, asked.next_path, Began.LINK)

    @pages.post("/sign-out", right=Right.SIGNED_IN)
    def sign_out() -> ResponseReturnValue:
        answer = doorkeeper.end_session(url_for("sign_in.ask"))
        flash("You are signed out.")
        return answer

    @pages.post("/sign-out/everywhere", right=Right.SIGNED_IN)
    def sign_out_everywhere() -> ResponseReturnValue:
        answer = doorkeeper.end_sessions(visitor().email, url_for("sign_in.ask"))
        flash("You are signed out everywhere.")
        return answer

    return pages


def _form(next_path: str, email: str = "", problems: dict[str, str] | None = None) -> str:
    return render_template(
        "portal/sign_in.html", next_path=next_path, email=email, problems=problems or {}
    )


def _instead(asked: SignIn, doorkeeper: Doorkeeper, ledger: Ledger) -> ResponseReturnValue | None:
    """Answer an invitation that signs nobody in; None when it does."""
    account_ids = ledger.members.accounts_of(asked.email)
    if asked.invited_to not in account_ids:
        return answer_message(
            410,
            "This invitation was taken back",
            "Ask whoever invited you to do it again. If you have access to another account, you "
            "can sign in to that.",
            href=url_for("sign_in.ask"),
            link="Sign in",
        )
    found = doorkeeper.signed_in()
    if found is not None and found.email == asked.email:
        return redirect(asked.next_path, 303)
    if len(account_ids) == 1 and not doorkeeper.is_admin(asked.email):
        return None
    flash("This address can sign in already. The link that we send you leads to the new account.")
    return _form(asked.next_path, asked.email)


def _too_often() -> ResponseReturnValue:
    page, status = answer_message(
        429,
        "That was asked for often",
        "Links that are in your mailbox already still work. You can ask for another one in "
        f"{WINDOW_S // 60} minutes.",
        href=url_for("sign_in.ask"),
        link="Back",
    )
    return page, status, {"Retry-After": str(WINDOW_S)}


def _dead_link(doorkeeper: Doorkeeper) -> ResponseReturnValue:
    if doorkeeper.signed_in() is not None:
        return answer_message(
            410,
            "This link was used",
            "You are signed in already.",
            href="/",
            link="Go on",
        )
    return answer_message(
        410,
        "This link does not work any more",
        f"It was used, or is too old: a link works once, and for {LINK_LIFE_S // 60} minutes, that "
        f"of an invitation for {INVITATION_LIFE_S // _DAY_S} days.",
        href=url_for("sign_in.ask"),
        link="Ask for a new link",
    )
