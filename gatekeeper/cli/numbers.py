"""`gatekeeper number …`: which phone numbers are whose, and where their calls go."""

from __future__ import annotations

import click

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.account_view import route_text
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import facts, json_option, show, table, utc
from gatekeeper.cli.parameters import account_argument, by_option
from gatekeeper.cli.routes import read_route
from gatekeeper.domain.account import InvalidSettings
from gatekeeper.domain.phone import is_e164


@click.group()
def number() -> None:
    """Assign phone numbers to accounts."""


number_argument = click.argument("phone_number", metavar="+E164")


@number.command()
@number_argument
@account_argument
@click.option("--route", help="Where its calls go; without it, where the account's do.")
@by_option
@json_option
def assign(
    phone_number: str, account_id: str, route: str | None, by: str, *, as_json: bool
) -> None:
    """Give a number to an account, or change the number's route."""
    _check_number(phone_number)
    parts = load_parts()
    stored = _checked_route(parts, phone_number, account_id, route)
    changed = parts.ledger.numbers.assign_number(phone_number, account_id, stored, by=by)
    document = {"number": phone_number, "account": account_id, "changed": changed}
    line = f"{phone_number} belongs to {account_id}" + ("" if changed else " (as before)")
    show(document, line, as_json=as_json)


@number.command()
@number_argument
@account_argument
@by_option
@json_option
def release(phone_number: str, account_id: str, by: str, *, as_json: bool) -> None:
    """Take a number away from an account."""
    _check_number(phone_number)
    load_parts().ledger.numbers.release_number(phone_number, account_id, by=by)
    document = {"number": phone_number, "account": None, "previous": account_id}
    show(document, f"{phone_number} no longer belongs to {account_id}", as_json=as_json)


@number.command(name="list")
@account_argument
@json_option
def list_numbers(account_id: str, *, as_json: bool) -> None:
    """List an account's numbers."""
    ledger = load_parts().ledger
    ledger.accounts.account(account_id)  # an unknown account is not one without numbers
    found = ledger.numbers.of_account(account_id)
    rows = [
        (phone_number, _route_words(record.route), utc(record.changed_at_ms))
        for phone_number, record in found.items()
    ]
    document = {
        "numbers": [
            {"number": phone_number, "route": route_text(record.route) or None}
            for phone_number, record in found.items()
        ]
    }
    lines = table(("number", "route", "since"), rows) if rows else "no numbers"
    show(document, lines, as_json=as_json)


@number.command(name="show")
@number_argument
@json_option
def show_number(phone_number: str, *, as_json: bool) -> None:
    """Show whose a number is, and whose it was."""
    _check_number(phone_number)
    record = load_parts().ledger.numbers.find(phone_number)
    if record is None:
        raise click.ClickException(f"{phone_number} was never assigned")
    document = {
        "number": phone_number,
        "account": record.account_id or None,
        "route": route_text(record.route) or None,
        "previous": record.previous or None,
        "since": utc(record.changed_at_ms),
    }
    rows = {
        **document,
        "account": record.account_id or "nobody's",
        "route": _route_words(record.route),
        "previous": record.previous or "nobody's",
    }
    show(document, facts(rows), as_json=as_json)


def _route_words(stored: str) -> str:
    return route_text(stored) or "the account's"


def _check_number(text: str) -> None:
    if not is_e164(text):
        raise InvalidSettings({"number": "must be in E.164, such as +15551234567"})


def _checked_route(parts: Parts, phone_number: str, account_id: str, text: str | None) -> str:
    """Check where the number's calls will go; returns its own route as stored, "" for none."""
    route = text or route_text(parts.ledger.accounts.account(account_id).route)
    if not route:
        return ""
    own_numbers = {phone_number, *parts.ledger.numbers.of_account(account_id)}
    origin = parts.settings.public_origin
    checked = read_route(route, public_origin=origin, own_numbers=own_numbers)
    return checked.to_text() if text else ""
