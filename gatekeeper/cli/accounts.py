"""`gatekeeper account …`: who pays for calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import click

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.account_view import (
    account_document,
    account_panel,
    account_summary,
    state_word,
    topoff_document,
)
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import json_option, show, table
from gatekeeper.cli.parameters import (
    CREDITS_OR_NONE,
    DEFAULT,
    NumberOrDefault,
    account_argument,
    anchor_option,
    by_option,
    interval_option,
)
from gatekeeper.cli.routes import read_route
from gatekeeper.cli.subscriptions import NONE, set_driver, subscription_option
from gatekeeper.cli.unknown_outcome import advised_if_unknown
from gatekeeper.domain.account import (
    Account,
    NewAccount,
    new_account_id,
)
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.money import CreditPrice
from gatekeeper.domain.route import DropMessage
from gatekeeper.ledger import lookback
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.settings import MAX_PRICE_MINOR


@click.group()
def account() -> None:
    """Open, show and change accounts."""


@account.command()
@click.option("--name", required=True, help="The customer's name.")
@click.option("--email", required=True, help="Where e-mails about top-offs go.")
@click.option("--allotment", default=0, show_default=True, help="Credits included in every cycle.")
@anchor_option
@interval_option
@click.option("--timezone", default="UTC", show_default=True, help="IANA name.")
@by_option
@json_option
def create(
    name: str,
    email: str,
    allotment: int,
    anchor_ms: int | None,
    interval: Interval | None,
    timezone: str,
    by: str,
    *,
    as_json: bool,
) -> None:
    """Open an account and print its id."""
    new = NewAccount(
        id=new_account_id(),
        name=name,
        email=email,
        allotment=allotment,
        timezone=timezone,
        anchor_ms=anchor_ms,
        interval=interval or Interval.MONTHLY,
    )
    accounts = load_parts().ledger.accounts
    with advised_if_unknown(f"see whether it was opened: gatekeeper account show {new.id}"):
        accounts.open_account(new, by=by)
    show({"id": new.id}, new.id, as_json=as_json)


@account.command(name="show")
@account_argument
@json_option
def show_account(account_id: str, *, as_json: bool) -> None:
    """Show an account: balance, top-offs, card, incident, numbers."""
    parts = load_parts()
    found = parts.ledger.accounts.account(account_id)
    incident = parts.ledger.accounts.incident(account_id) if found.incident_id else None
    numbers = list(parts.ledger.numbers.of_account(account_id))
    show(
        account_document(found, incident, numbers),
        account_panel(
            found,
            incident,
            numbers,
            price_minor=parts.settings.credit_price,
            currency=parts.settings.currency,
        ),
        as_json=as_json,
    )


@account.command(name="list")
@json_option
def list_accounts(*, as_json: bool) -> None:
    """List every account, by name."""
    found = sorted(_read_all(load_parts().ledger), key=lambda one: (one.name.casefold(), one.id))
    document = {
        "accounts": [{**account_summary(one), "topoff": topoff_document(one)} for one in found]
    }
    names = ("id", "name", "balance", "auto top-off", "state")
    lines = table(names, map(_row, found), right=("balance",), cut=("name", "state"))
    show(document, lines if found else "no accounts yet", as_json=as_json)


def _row(one: Account) -> tuple[str, ...]:
    enabled = "on" if one.topoff.enabled else "off"
    return one.id, one.name, str(one.balance), enabled, state_word(one)


def _read_all(ledger: Ledger) -> Iterator[Account]:
    for shard in range(ledger.keys.shards):
        ids = lookback.account_ids(ledger, shard)
        for found, _ in lookback.accounts_with_position(ledger, shard, ids):
            yield found


@account.command(name="set")
@account_argument
@click.option("--name")
@click.option("--email")
@click.option("--timezone", help="IANA name.")
@click.option(
    "--price",
    type=NumberOrDefault(1, MAX_PRICE_MINOR),
    help="Minor units a credit, or default.",
)
@click.option("--allotment", type=CREDITS_OR_NONE, help="Credits included in every cycle.")
@anchor_option
@interval_option
@subscription_option
@click.option("--route", help="Where answered calls go; '' for the default.")
@click.option("--drop-message", help="What dropped callers hear; '' for the default.")
@click.option("--drop-language", help="The message's language, such as en-US.")
@click.option("--drop-voice", help="The message's voice, such as Polly.Joanna-Neural.")
@by_option
@json_option
def set_account(
    account_id: str,
    *,
    allotment: int | None,
    anchor_ms: int | None,
    interval: Interval | None,
    subscription: str | None,
    by: str,
    as_json: bool,
    **options: str | int | None,
) -> None:
    """Change what is given, and leave the rest.

    A larger allotment counts at once, by the difference; a smaller one, and a new anchor or
    interval, from the next cycle on. Where a subscription drives the account, it says all three.
    """
    given = {name: str(value) for name, value in options.items() if value is not None}
    cycle = {"allotment": allotment, "anchor": anchor_ms, "interval": interval}
    cycle_given = [name for name, value in cycle.items() if value is not None]
    if not given and not cycle_given and not subscription:
        raise click.UsageError("Nothing to set: give at least one option.")
    if cycle_given and subscription not in (None, NONE):
        raise click.UsageError("A subscription brings its own allotment, anchor and interval.")
    parts = load_parts()
    found = parts.ledger.accounts.account(account_id)
    fields = _checked_fields(parts, found, given)
    came_to = (
        set_driver(parts, found, subscription, allotment=allotment, by=by) if subscription else ""
    )
    if cycle_given:
        parts.ledger.cycles.set_cycle(
            account_id,
            allotment=found.allotment_size if allotment is None else allotment,
            anchor_ms=found.anchor_ms if anchor_ms is None else anchor_ms,
            interval=interval or found.interval,
            by=by,
        )
    if fields:
        price = CreditPrice(parts.settings.credit_price, parts.settings.currency)
        parts.ledger.accounts.update_account(account_id, by=by, price=price, **fields)
    names = [*(name.replace("_", "-") for name in given), *cycle_given]
    names = sorted([*names, "subscription"] if subscription else names)
    line = "; ".join(filter(None, ("set: " + ", ".join(names), came_to)))
    show({"id": account_id, "set": names}, line, as_json=as_json)


def _checked_fields(parts: Parts, found: Account, given: dict[str, str]) -> dict[str, str]:
    """Check what was given against everything that holds; returns the fields to write."""
    NewAccount(
        id=found.id,
        name=given.get("name", found.name),
        email=given.get("email", found.email),
        timezone=given.get("timezone", found.timezone),
    )
    fields: dict[str, str] = {}
    for name in ("name", "email", "timezone"):
        if name in given:
            fields[name] = given[name]
    if "price" in given:
        fields["price_minor"] = _price_field(parts, found, given["price"])
    if "route" in given:
        fields["route"] = _route_field(parts, found, given["route"])
    if any(name.startswith("drop_") for name in given):
        fields["drop_message"] = _drop_message_field(parts, found, given)
    return fields


def _price_field(parts: Parts, found: Account, text: str) -> str:
    price = "" if text == DEFAULT else text
    if found.topoff.enabled:
        found.topoff.check(int(price or parts.settings.credit_price))
    return price


def _route_field(parts: Parts, found: Account, text: str) -> str:
    if not text:
        return ""
    own_numbers = parts.ledger.numbers.of_account(found.id)
    origin = parts.settings.public_origin
    return read_route(text, public_origin=origin, own_numbers=own_numbers).to_text()


def _drop_message_field(parts: Parts, found: Account, given: dict[str, str]) -> str:
    if given.get("drop_message") == "":
        if given.keys() & {"drop_language", "drop_voice"}:
            raise click.UsageError("The default message brings its own language and voice.")
        return ""
    message = (
        DropMessage.from_text(found.drop_message)
        if found.drop_message
        else parts.settings.spoken_drop_message
    )
    names = {"drop_message": "text", "drop_language": "language", "drop_voice": "voice"}
    changes = {names[name]: value for name, value in given.items() if name in names}
    return replace(message, **changes).to_text()


@account.command()
@account_argument
@by_option
@json_option
def suspend(account_id: str, by: str, *, as_json: bool) -> None:
    """Drop an account's calls and stop its top-offs until it is resumed."""
    _set_suspended(account_id, suspended=True, by=by, as_json=as_json)


@account.command()
@account_argument
@by_option
@json_option
def resume(account_id: str, by: str, *, as_json: bool) -> None:
    """Answer a suspended account's calls again."""
    _set_suspended(account_id, suspended=False, by=by, as_json=as_json)


def _set_suspended(account_id: str, *, suspended: bool, by: str, as_json: bool) -> None:
    flag = "1" if suspended else ""
    load_parts().ledger.accounts.update_account(account_id, by=by, suspended=flag)
    word = "suspended" if suspended else "resumed"
    show({"id": account_id, "suspended": suspended}, f"{account_id} {word}", as_json=as_json)
