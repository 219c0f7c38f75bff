"""`gatekeeper audit`: whether every balance is what its entries say."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from gatekeeper.audit import Audit, Difference, entries_to_read
from gatekeeper.audit import audit as run_audit
from gatekeeper.bootstrap import Parts
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import json_option, show, table
from gatekeeper.cli.parameters import AccountId
from gatekeeper.cli.sentences import one_line

_WHOLE_SHARD = "-"


@click.command()
@click.argument("account_id", metavar="[ID]", type=AccountId(), required=False)
@json_option
def audit(account_id: str | None, *, as_json: bool) -> None:
    """Hold every account, or one, against its entries; exit code 1 when any differs.

    Entries are read from the ledger and from history, and both are compared.
    """
    try:
        found = _audit_with_progress(load_parts(), account_id)
    except OSError as error:  # no room on the disk: no store's error is one of these
        raise click.ClickException(str(error)) from error
    differences = found.differences
    rows = [(one.account_id or _WHOLE_SHARD, one_line(one.what)) for one in differences]
    document = {
        "ok": not differences,
        "accounts": found.accounts,
        "entries": found.entries,
        "differences": [
            {"account": one.account_id or None, "what": one.what} for one in differences
        ],
    }
    read = f"{_count(found.accounts, 'account')}, {_count(found.entries, 'entry', 'entries')}"
    lines = table(("account", "what differs"), rows) if rows else f"everything agrees: {read} read"
    show(document, lines, as_json=as_json)
    if differences:
        raise click.ClickException(_summary(differences))


def _summary(differences: Sequence[Difference]) -> str:
    accounts = len({one.account_id for one in differences} - {""})
    where = f" in {_count(accounts, 'account')}" if accounts else ", of no one account"
    return f"the audit found {_count(len(differences), 'difference')}{where}"


def _count(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def _audit_with_progress(parts: Parts, account_id: str | None) -> Audit:
    total = entries_to_read(parts.ledger, parts.history, account_id)
    with Progress(
        "reading entries",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=total)

        def advance(entries: int) -> None:
            progress.advance(task, entries)

        return run_audit(parts.ledger, parts.history, account_id=account_id, on_read=advance)
