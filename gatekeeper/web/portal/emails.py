"""Settings → E-mails: who of the account's members gets which e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member
from gatekeeper.ledger.errors import MemberChanged
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.notice_words import NOTICE_WORDS
from gatekeeper.web.portal.visitor import acting_for, visitor

_PATH: Final = "/a/<account_id>/settings/emails"

_log = structlog.get_logger()


def add_emails(pages: PortalBlueprint, ledger: Ledger) -> None:
    """Add the page to those of Settings."""

    @pages.get(_PATH, right=Right.SEE)
    def emails(account_id: str) -> ResponseReturnValue:
        members = ledger.members.of_account(account_id)
        return render_template(
            "portal/emails.html",
            account=ledger.accounts.account(account_id),
            visitor=visitor(),
            members=members,
            kinds=NOTICE_WORDS,
            missed_kinds=_missed_kinds(members),
        )

    # OPTIONS of this path is the page's, by its own right.
    @pages.post(_PATH, right=Right.PAY, provide_automatic_options=False)
    def choose_emails(account_id: str) -> ResponseReturnValue:
        chosen = read_choice(request.form)
        missed = _save(ledger, account_id, chosen)
        _log.info("emails_chosen", account=account_id, on_behalf=visitor().acts_on_behalf)
        if missed:
            flash(f"Not saved for who was changed or removed meanwhile: {missed}.", "warning")
        else:
            flash("Your choice is saved.")
        return redirect(url_for(".emails", account_id=account_id), 303)


def read_choice(form: MultiDict[str, str]) -> dict[str, frozenset[NoticeKind]]:
    """Read what was chosen for each member that the form was about.

    `member` is sent for each of them; each kind is a name, with the addresses that get it.
    """
    getters = {kind: set(form.getlist(kind.value)) for kind in NoticeKind}
    return {
        email: frozenset(kind for kind, emails in getters.items() if email in emails)
        for email in form.getlist("member")
    }


def _save(ledger: Ledger, account_id: str, chosen: Mapping[str, frozenset[NoticeKind]]) -> str:
    """Save what was chosen; returns the addresses of those for whom it could not be."""
    members = {one.email: one for one in ledger.members.of_account(account_id)}
    missed = sorted(chosen.keys() - members.keys())
    for email in sorted(chosen.keys() & members.keys()):
        before = members[email]
        if before.notices == chosen[email]:
            continue
        after, by = before.with_notices(chosen[email]), acting_for(visitor())
        try:
            ledger.members.set_member(account_id, after, by=by, instead_of=before)
        except MemberChanged:
            missed.append(email)
    return ", ".join(missed)


def _missed_kinds(members: Sequence[Member]) -> list[str]:
    """Name the urgent e-mails that nobody gets by choice."""
    return [
        words.name
        for kind, words in NOTICE_WORDS.items()
        if words.is_urgent and not any(kind in one.notices for one in members)
    ]
