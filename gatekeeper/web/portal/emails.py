"""Settings → E-mails: who of the account's members gets which e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


def version_of(saved: Member) -> str:
    """Name what is saved for a member, so that a form knows what it was made from."""
    return " ".join(sorted(saved.notices))


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for each member that the form was about.

    `made_from` names what was saved for them when the form was shown.
    """

    kinds: Mapping[str, frozenset[NoticeKind]]
    made_from: Mapping[str, str]

    @classmethod
    def read(cls, form: MultiDict[str, str]) -> Choice:
        """Read what a browser sent.

        `member` is sent for each of them, with its `made_from`; each kind is a name, with the
        addresses that get it.
        """
        emails = form.getlist("member")
        getters = {kind: set(form.getlist(kind.value)) for kind in NoticeKind}
        kinds = {
            email: frozenset(kind for kind, chosen in getters.items() if email in chosen)
            for email in emails
        }
        return cls(kinds, dict(zip(emails, form.getlist("made_from"), strict=False)))

    def overtaken(self, members: Sequence[Member]) -> list[str]:
        """List for whom it would undo something: changed since to something else, or removed."""
        saved = {one.email: one for one in members}
        return sorted(
            email
            for email, kinds in self.kinds.items()
            if email not in saved
            or (kinds != saved[email].notices and not self._is_of(saved[email]))
        )

    def applied_to(self, members: Sequence[Member]) -> list[Member]:
        """Return the members with what was chosen; those who were changed since are as they are."""
        return [
            one.with_notices(self.kinds[one.email])
            if one.email in self.kinds and self._is_of(one)
            else one
            for one in members
        ]

    def _is_of(self, saved: Member) -> bool:
        return self.made_from.get(saved.email) == version_of(saved)


def add_emails(pages: PortalBlueprint, ledger: Ledger) -> None:
    """Add the page to those of Settings."""

    @pages.get(_PATH, right=Right.SEE)
    def emails(account_id: str) -> ResponseReturnValue:
        return _render(ledger, account_id)

    # OPTIONS of this path is the page's, by its own right.
    @pages.post(_PATH, right=Right.PAY, provide_automatic_options=False)
    def choose_emails(account_id: str) -> ResponseReturnValue:
        choice = Choice.read(request.form)
        overtaken = _save(ledger, account_id, choice)
        if overtaken:
            return _render(ledger, account_id, choice, overtaken), 409
        _log.info("emails_chosen", account=account_id, on_behalf=visitor().acts_on_behalf)
        flash("Your choice is saved.")
        return redirect(url_for(".emails", account_id=account_id), 303)


def _render(
    ledger: Ledger,
    account_id: str,
    choice: Choice | None = None,
    overtaken: Sequence[str] = (),
) -> str:
    members = ledger.members.of_account(account_id)
    return render_template(
        "portal/emails.html",
        account=ledger.accounts.account(account_id),
        visitor=visitor(),
        members=members if choice is None else choice.applied_to(members),
        versions={one.email: version_of(one) for one in members},
        overtaken=overtaken,
        kinds=NOTICE_WORDS,
        missed_kinds=_missed_kinds(members),
    )


def _save(ledger: Ledger, account_id: str, choice: Choice) -> list[str]:
    """Save what was chosen; returns the addresses of those for whom it came too late.

    Nothing is saved where the page was out of date; where somebody is changed at this very moment,
    what was saved before stays.
    """
    members = ledger.members.of_account(account_id)
    overtaken = choice.overtaken(members)
    if overtaken:
        return overtaken
    for before, after in zip(members, choice.applied_to(members), strict=True):
        if before.notices == after.notices:
            continue
        by = acting_for(visitor())
        try:
            ledger.members.set_member(account_id, after, by=by, instead_of=before)
        except MemberChanged:
            return [after.email]
    return []


def _missed_kinds(members: Sequence[Member]) -> list[str]:
    """Name the urgent e-mails that nobody gets by choice."""
    return [
        words.name
        for kind, words in NOTICE_WORDS.items()
        if words.is_urgent and not any(kind in one.notices for one in members)
    ]
