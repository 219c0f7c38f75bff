"""`gatekeeper log`: what changed a balance, and who changed what by hand."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.entries import entries_not_copied, newest_entries
from gatekeeper.cli.output import (
    check_forms,
    csv_option,
    json_option,
    show,
    show_csv,
    table,
    utc,
    utc_second,
)
from gatekeeper.cli.parameters import account_argument
from gatekeeper.cli.sentences import one_line
from gatekeeper.domain.change import read_detail
from gatekeeper.domain.change_words import change_words
from gatekeeper.domain.entry import (
    CALL_ENDS,
    PERIOD_ENTRIES,
    WITH_CHANGE,
    Entry,
    EntryType,
    capped_of,
)
from gatekeeper.domain.incident import RESOLUTION_WORDS
from gatekeeper.domain.money import format_minor
from gatekeeper.history.export import export_entries

_LIMIT: Final = 50
_LIMIT_MAX: Final = 10_000


@click.command()
@account_argument
@click.option(
    "--limit",
    type=click.IntRange(1, _LIMIT_MAX),
    metavar="N",
    help=f"How many entries; not given, {_LIMIT}.",
)
@click.option("--after", metavar="CURSOR", help="Go on where a page ended.")
@csv_option
@json_option
def log(
    account_id: str, limit: int | None, after: str | None, *, as_csv: bool, as_json: bool
) -> None:
    """Show an account's entries, newest first: what changed its balance, and who changed what.

    --csv prints all that there are, with times of the account's time zone.
    """
    check_forms(as_json=as_json, as_csv=as_csv)
    parts = load_parts()
    # An unknown account is not one without entries.
    found = parts.ledger.accounts.account(account_id)
    if as_csv:
        if limit is not None or after is not None:
            raise click.UsageError("--csv prints every entry: no --limit or --after with it.")
        newest = entries_not_copied(parts.ledger, parts.history, account_id)
        zone = ZoneInfo(found.timezone)
        show_csv(export_entries(parts.history, account_id, zone, not_copied=newest))
        return
    page = newest_entries(
        parts.ledger, parts.history, account_id, after=after, limit=limit or _LIMIT
    )
    names = ("time (UTC)", "type", "change", "balance", "ref", "cause")
    rows = [_row(entry, parts.settings.currency) for entry in page.items]
    lines = table(names, rows, right=("change", "balance"), cut=("ref", "cause"))
    document = {"entries": [_document(entry) for entry in page.items], "next": page.next}
    show(document, lines, as_json=as_json)
    if page.next is not None and not as_json:
        same = f" --limit {limit}" if limit else ""
        click.echo(
            f"older entries: gatekeeper log {account_id}{same} --after {page.next}", err=True
        )


def _row(entry: Entry, currency: str) -> tuple[str, ...]:
    change = entry.allotment_delta + entry.purchased_delta
    return (
        utc_second(entry.at_ms),
        one_line(entry.type),
        f"{change:+d}" if change else "",
        str(entry.allotment + entry.purchased),
        one_line(_ref(entry)),
        one_line(_why(entry, currency)),
    )


def _ref(entry: Entry) -> str:
    return utc_second(int(entry.ref)) if entry.type in PERIOD_ENTRIES else entry.ref


def _why(entry: Entry, currency: str) -> str:
    if entry.type == EntryType.ACCOUNT_CHANGED:
        what = change_words(entry, currency)
        return f"{what}, by {entry.note}" if entry.note else what
    if entry.type == EntryType.INCIDENT_RESOLVED:
        return RESOLUTION_WORDS.get(entry.cause, entry.cause)
    if (capped := capped_of(entry)) is not None:
        spent_minor, cap_minor, code = capped
        used = f"{format_minor(spent_minor, code)} of {format_minor(cap_minor, code)}"
        return f"{entry.cause} ({used} used)"
    return f"{entry.cause} ({_note(entry)})" if entry.note else entry.cause


def _note(entry: Entry) -> str:
    return f"{entry.note} s" if entry.type in CALL_ENDS else entry.note


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": utc(entry.at_ms),
        "type": str(entry.type),
        "allotment_delta": entry.allotment_delta,
        "purchased_delta": entry.purchased_delta,
        "balance": {
            "total": entry.allotment + entry.purchased,
            "allotment": entry.allotment,
            "purchased": entry.purchased,
        },
        "ref": entry.ref,
        "cause": entry.cause,
        "number": entry.number or None,
        "detail": _detail(entry),
    }


def _detail(entry: Entry) -> str | dict[str, Any] | None:
    if entry.type in WITH_CHANGE and entry.detail:
        told = read_detail(entry.detail)
        return {"by": told.by, **told.values}
    return entry.told_detail or None
