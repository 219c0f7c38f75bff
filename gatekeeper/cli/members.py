"""`gatekeeper member …`: who may see an account in the portal, and who may pay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import json_option, show, table
from gatekeeper.cli.parameters import account_argument, by_option
from gatekeeper.domain.account import InvalidSettings
from gatekeeper.domain.email_address import normalize_email
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role


@click.group()
def member() -> None:
    """Let people see an account in the portal, and pay."""


class EmailAddress(click.ParamType[str]):
    """An e-mail address, in the form in which a person is known."""

    name = "email"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002 - click's signature
        """Return the address so written. Raises InvalidSettings."""
        try:
            return normalize_email(str(value))
        except ValueError as error:
            raise InvalidSettings({"email": str(error)}) from None


email_argument = click.argument("email", metavar="EMAIL", type=EmailAddress())


@member.command()
@account_argument
@email_argument
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.VIEWER.value,
    show_default=True,
    callback=lambda _context, _option, value: Role(value),
    help="An owner may pay, a viewer looks.",
)
@by_option
@json_option
def add(account_id: str, email: str, role: Role, by: str, *, as_json: bool) -> None:
    """Make somebody a member of an account, or change a member's role."""
    members = load_parts().ledger.members
    before = members.find(account_id, email)
    after = Member(email, role) if before is None else replace(before, role=role)
    members.set_member(account_id, after, by=by)
    changed = after != before
    document = {"account": account_id, "email": email, "role": role.value, "changed": changed}
    line = f"{email} is {_ARTICLES[role]} of {account_id}" + ("" if changed else " (as before)")
    show(document, line, as_json=as_json)


_ARTICLES = {Role.OWNER: "an owner", Role.VIEWER: "a viewer"}


@member.command()
@account_argument
@email_argument
@by_option
@json_option
def remove(account_id: str, email: str, by: str, *, as_json: bool) -> None:
    """Take a member away from an account; what they have open in the portal ends at once."""
    load_parts().ledger.members.remove_member(account_id, email, by=by)
    document = {"account": account_id, "email": email, "role": None}
    show(document, f"{email} is no longer a member of {account_id}", as_json=as_json)


@member.command(name="list")
@account_argument
@json_option
def list_members(account_id: str, *, as_json: bool) -> None:
    """List an account's members, and which e-mails they get."""
    found = load_parts().ledger.members.of_account(account_id)
    rows = [(one.email, one.role.value, _notices_words(one)) for one in found]
    document = {
        "members": [
            {"email": one.email, "role": one.role.value, "notices": sorted(one.notices)}
            for one in found
        ]
    }
    lines = table(("e-mail", "role", "e-mails about"), rows, cut=("e-mails about",))
    show(document, lines, as_json=as_json)


@member.command()
@email_argument
@json_option
def link(email: str, *, as_json: bool) -> None:
    """Print a link to sign in by, for a member or an admin whom no e-mail reaches now.

    Whoever has it is let in as that person, once, within 15 minutes.
    """
    parts = load_parts()
    if not parts.settings.secret_keys:
        raise click.ClickException("the portal is not served: SECRET_KEY is not set")
    if email not in parts.settings.admins and not parts.ledger.members.accounts_of(email):
        raise click.ClickException(f"{email} is neither a member of an account nor an admin")
    url = parts.sign_in_links.url(parts.ledger.sign_ins.new_link(email))
    show({"email": email, "url": url}, url, as_json=as_json)


@member.command(name="sign-out")
@email_argument
@json_option
def sign_out(email: str, *, as_json: bool) -> None:
    """Sign somebody out of the portal, wherever they are signed in. They may sign in again."""
    ended = load_parts().ledger.sessions.end_all(email)
    sessions = "session" if ended == 1 else "sessions"
    document = {"email": email, "ended": ended}
    show(document, f"{ended} {sessions} of {email} ended", as_json=as_json)


def _notices_words(one: Member) -> str:
    if one.notices == frozenset(NoticeKind):
        return "everything"
    return ", ".join(sorted(kind.value.replace("_", " ") for kind in one.notices)) or "nothing"
