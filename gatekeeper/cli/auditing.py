"""`gatekeeper audit`: whether every balance is what its entries say."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from gatekeeper.audit import Difference, audit_account, audit_ledger, entries_to_read
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
        differences = _audit_with_progress(load_parts(), account_id)
    except OSError as error:  # no room on the disk: no store's error is one of these
        raise click.ClickException(str(error)) from error
    rows = [(one.account_id or _WHOLE_SHARD, one_line(one.what)) for one in differences]
    document = {
        "ok": not differences,
        "differences": [
            {"account": one.account_id or None, "what": one.what} for one in differences
        ],
    }
    lines = table(("account", "what differs"), rows) if rows else "everything agrees"
    show(document, lines, as_json=as_json)
    if differences:
        raise click.ClickException(_summary(differences))


def _summary(differences: Sequence[Difference]) -> str:
    accounts = len({one.account_id for one in differences} - {""})
    return f"the audit found {len(differences)} differences in {accounts} accounts"


def _audit_with_progress(parts: Parts, account_id: str | None) -> Sequence[Difference]:
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

        if account_id is not None:
            return audit_account(parts.ledger, account_id, parts.history, on_read=advance)
        return audit_ledger(parts.ledger, parts.history, on_read=advance)
