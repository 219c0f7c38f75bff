"""`gatekeeper credits …`, `topoff …`, `card …`: what changes balances and charges."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import click

from gatekeeper.cli.account_view import balance_line, card_document, topoff_document, topoff_line
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import json_option, show
from gatekeeper.cli.parameters import (
    CREDITS,
    DEFAULT,
    NumberOrDefault,
    account_argument,
    by_option,
)
from gatekeeper.cli.unknown_outcome import advised_if_unknown
from gatekeeper.domain.account import MAX_CREDITS, InvalidSettings, TopoffSettings
from gatekeeper.domain.money import CreditPrice, format_minor, minor_of_decimal
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.ledger.accounts import Accounts
from gatekeeper.ledger.topoffs import RetryAnswer
from gatekeeper.payments.cards import fetch_card

MAX_REASON_CHARS: Final = 200
_SIGNED = re.compile(r"-[0-9.]+")
_REFERENCE = re.compile(r"[A-Za-z0-9._:-]{1,80}")


class Correction(click.Command):
    """A command whose number stands without a sign: the command's own name gives the direction."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a number below zero, which would be an option, for what it was meant to be."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not _SIGNED.fullmatch(error.option_name):
                raise
        other = "add" if self.name == "remove" else "remove"
        raise click.UsageError(
            f"N stands without a sign: to {other} credits there is `gatekeeper credits {other}`.",
            ctx,
        )


@click.group(name="credits")
def credits_() -> None:
    """Correct balances by hand."""


def _correction_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        json_option,
        click.option("--reference", help="Applied once for each; random when not given."),
        by_option,
        click.option("--reason", required=True, help="Why: it stands in the account's log."),
        click.argument("count", metavar="N", type=CREDITS),
        account_argument,
    ):
        command = decorate(command)
    return command


@credits_.command(cls=Correction)
@_correction_options
def add(
    account_id: str, count: int, reason: str, by: str, reference: str | None, *, as_json: bool
) -> None:
    """Add N purchased credits, once for each reference."""
    accounts = load_parts().ledger.accounts
    _correct(
        accounts, accounts.add_credits, account_id, count, reason, by, reference, as_json=as_json
    )


@credits_.command(cls=Correction)
@_correction_options
def remove(
    account_id: str, count: int, reason: str, by: str, reference: str | None, *, as_json: bool
) -> None:
    """Take N purchased credits away, once for each reference."""
    accounts = load_parts().ledger.accounts
    _correct(
        accounts,
        accounts.remove_credits,
        account_id,
        -count,
        reason,
        by,
        reference,
        as_json=as_json,
    )


def _correct(
    accounts: Accounts,
    apply: Callable[..., bool],
    account_id: str,
    delta: int,
    reason: str,
    by: str,
    reference: str | None,
    *,
    as_json: bool,
) -> None:
    reference = reference if reference is not None else f"cli-{secrets.token_hex(8)}"
    _check_correction(reason, reference)
    with advised_if_unknown(
        f"it is not known whether the credits were changed, so run the command again with"
        f" --reference {reference}: it is applied once at most"
    ):
        applied = apply(account_id, abs(delta), reference=reference, cause=reason.strip(), by=by)
        found = accounts.account(account_id)
    document = {
        "id": account_id,
        "credits": delta,
        "reference": reference,
        "by": by,
        "applied": applied,
        "balance": found.balance,
    }
    done = f"{delta:+d} purchased credits" if applied else "applied before, nothing changed"
    line = f"{account_id}: {done} (reference {reference}); {balance_line(found)}"
    show(document, line, as_json=as_json)


def _check_correction(reason: str, reference: str) -> None:
    problems: dict[str, str] = {}
    if not 1 <= len(reason.strip()) <= MAX_REASON_CHARS or not reason.isprintable():
        problems["reason"] = f"must be 1 to {MAX_REASON_CHARS} printable characters"
    if not _REFERENCE.fullmatch(reference):
        problems["reference"] = "must be 1 to 80 letters, digits, or any of . _ : -"
    if problems:
        raise InvalidSettings(problems)


@click.group()
def topoff() -> None:
    """Set automatic top-offs, or retry one that failed."""


@topoff.command(name="set")
@account_argument
@click.option("--on/--off", "enabled", default=None, help="Whether the card is charged by itself.")
@click.option("--threshold", type=int, help="Top off when the balance is below this.")
@click.option("--amount", type=int, help="The credits that one top-off adds.")
@click.option(
    "--overdraft",
    type=NumberOrDefault(0, MAX_CREDITS),
    help="How far below zero calls are answered while a top-off can come; default: the amount.",
)
@click.option("--cap", help="The most that they may charge in a billing cycle, such as 100.00.")
@click.option("--no-cap", is_flag=True, help="Let them charge as often as the threshold asks.")
@by_option
@json_option
def set_topoff(
    account_id: str,
    enabled: bool | None,
    threshold: int | None,
    amount: int | None,
    overdraft: int | str | None,
    cap: str | None,
    by: str,
    *,
    no_cap: bool,
    as_json: bool,
) -> None:
    """Change what is given, and leave the rest. May request a top-off at once."""
    if cap is not None and no_cap:
        raise click.UsageError("Give either --cap or --no-cap.")
    given = {"enabled": enabled, "threshold": threshold, "amount": amount}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if overdraft is not None:
        changes["overdraft_limit"] = None if overdraft == DEFAULT else overdraft
    if not changes and cap is None and not no_cap:
        raise click.UsageError("Nothing to set: give at least one option.")
    parts = load_parts()
    price = CreditPrice(parts.settings.credit_price, parts.settings.currency)
    if cap is not None or no_cap:
        changes["spending_cap_minor"] = _read_cap(cap, price.currency) if cap is not None else None
    accounts = parts.ledger.accounts
    found = accounts.account(account_id)
    settings: TopoffSettings = replace(found.topoff, **changes)
    settings.check(found.price_minor or price.minor)
    accounts.set_topoff(account_id, settings, price=price, instead_of=found.topoff, by=by)
    found = accounts.account(account_id)
    line = f"auto top-off {topoff_line(found, price.currency)}; {balance_line(found)}"
    show({"id": account_id, "topoff": topoff_document(found)}, line, as_json=as_json)


def _read_cap(text: str, currency: str) -> int:
    try:
        return minor_of_decimal(text, currency)
    except ValueError as error:
        raise InvalidSettings({"spending_cap": f"must be an amount of money: {error}"}) from error


@topoff.command()
@account_argument
@by_option
@json_option
def retry(account_id: str, by: str, *, as_json: bool) -> None:
    """Try again to charge for the top-off that failed last."""
    parts = load_parts()
    ledger = parts.ledger
    incident_id = ledger.accounts.account(account_id).incident_id
    answer = ledger.topoffs.request_topoff(account_id, incident_id, by=by)
    if answer is RetryAnswer.NO_SUCH_INCIDENT:
        raise click.ClickException(f"nothing to retry: no top-off of {account_id} stands as failed")
    if answer is RetryAnswer.CAPPED:
        raise click.ClickException(
            f"not retried: the spending cap of {account_id} is reached; raise it by `gatekeeper"
            f" topoff set {account_id} --cap AMOUNT`, or wait for the next billing cycle"
        )
    found = ledger.accounts.account(account_id)
    amount_minor = found.topoff.amount * (found.price_minor or parts.settings.credit_price)
    price = format_minor(amount_minor, parts.settings.currency)
    charge = f"{price} for {count_credits(found.topoff.amount)}"
    lines = {
        RetryAnswer.REQUESTED: f"requested again: {charge}",
        RetryAnswer.IN_FLIGHT: "nothing to retry: one is in flight already",
    }
    document = {
        "id": account_id,
        "result": answer.value,
        "incident": incident_id or None,
        "topoff": topoff_document(found),
    }
    show(document, f"{lines[answer]}; {balance_line(found)}", as_json=as_json)


@click.group()
def card() -> None:
    """Attach the card that top-offs are charged to."""


@card.command(name="set")
@account_argument
@click.option("--customer", required=True, metavar="cus_…", help="Stripe's customer.")
@click.option("--payment-method", required=True, metavar="pm_…", help="A card of that customer.")
@by_option
@json_option
def set_card(
    account_id: str, customer: str, payment_method: str, by: str, *, as_json: bool
) -> None:
    """Attach a card, once Stripe confirms it; resolves an open incident."""
    parts = load_parts()
    accounts = parts.ledger.accounts
    accounts.account(account_id)  # before Stripe is asked in vain
    attached = fetch_card(parts.stripe, customer, payment_method)
    accounts.set_card(account_id, attached, by=by)
    found = accounts.account(account_id)
    document = {
        "id": account_id,
        "card": card_document(attached),
        "topoff": topoff_document(found),
    }
    line = f"{attached.brand} ending in {attached.last4} attached; {balance_line(found)}"
    show(document, line, as_json=as_json)


@card.command(name="remove")
@account_argument
@by_option
@json_option
def remove_card(account_id: str, by: str, *, as_json: bool) -> None:
    """Take the account's card away."""
    load_parts().ledger.accounts.remove_card(account_id, by=by)
    show({"id": account_id, "card": None}, f"{account_id} has no card now", as_json=as_json)
