"""Signing in by a link that comes by e-mail, and signing out.

Whether an address is known is asked where the e-mail is sent, not here: every answer below is the
same, and takes the same, whoever is asked for. Mail scanners open links, so opening one shows a
button, and pressing that uses the link up.
"""

from __future__ import annotations

import ipaddress
from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.domain.email_address import normalize_email
from gatekeeper.ledger.sessions import SESSION_IDLE_S
from gatekeeper.ledger.sign_ins import INVITATION_LIFE_S, LINK_LIFE_S, WINDOW_S, SignIns
from gatekeeper.sign_in_links import LINK_PATH, SignInLinks
from gatekeeper.web.portal.blueprint import PortalBlueprint, answer_message
from gatekeeper.web.portal.doorkeeper import SIGN_IN_PATH, Doorkeeper, Right
from gatekeeper.web.portal.paths import local_path
from gatekeeper.web.portal.visitor import visitor

#: How many links may be asked for in WINDOW_S: for one address, and by one client.
REQUESTS_PER_ADDRESS: Final = 5
REQUESTS_PER_CLIENT: Final = 30
#: An IPv6 client has a network of this size to itself, and any address in it.
_CLIENT_PREFIX_V6: Final = 64
_DAY_S: Final = 86_400

_log = structlog.get_logger()


def sign_in_pages(doorkeeper: Doorkeeper, sign_ins: SignIns, links: SignInLinks) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("sign_in", doorkeeper)

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
        if asks_too_often(sign_ins, email):
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
        hours = SESSION_IDLE_S // 3600
        return render_template("portal/link.html", email=asked.email, idle_hours=hours)

    @pages.post(f"{LINK_PATH}/<token>", right=Right.ANYONE)
    def use_link(token: str) -> ResponseReturnValue:
        link_id = links.read(token)
        asked = sign_ins.use_link(link_id) if link_id else None
        if asked is None:
            return _dead_link(doorkeeper)
        _log.info("signed_in", by="link")
        return doorkeeper.start_session(asked.email, asked.next_path)

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


def asks_too_often(sign_ins: SignIns, email: str) -> bool:
    """Count a request for an e-mail with a link, whoever it is for, and tell whether to refuse it.

    Raises redis.RedisError.
    """
    by_client = sign_ins.count_request(client_network(request.remote_addr))
    for_address = sign_ins.count_request(email)
    return by_client > REQUESTS_PER_CLIENT or for_address > REQUESTS_PER_ADDRESS


def client_network(address: str | None) -> str:
    """Name whom requests from an address are counted against."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _CLIENT_PREFIX_V6), strict=False))


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
