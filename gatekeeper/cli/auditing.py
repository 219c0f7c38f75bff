"""`gatekeeper audit`: whether every balance is what its entries say."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from gatekeeper.audit import Difference, audit_account, audit_ledger
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import json_option, show, table
from gatekeeper.cli.parameters import AccountId
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lookback import log_length


@click.command()
@click.argument("account_id", metavar="[ID]", type=AccountId(), required=False)
@json_option
def audit(account_id: str | None, *, as_json: bool) -> None:
    """Hold every account, or one, against its entries; exit code 1 when any differs."""
    differences = _audit_with_progress(load_parts().ledger, account_id)
    rows = [(difference.account_id, difference.what) for difference in differences]
    document = {
        "ok": not differences,
        "differences": [
            {"account": difference.account_id, "what": difference.what}
            for difference in differences
        ],
    }
    lines = table(("account", "what differs"), rows) if rows else "everything agrees"
    show(document, lines, as_json=as_json)
    if differences:
        accounts = len({difference.account_id for difference in differences})
        raise click.ClickException(
            f"the audit found {len(differences)} differences in {accounts} accounts"
        )


def _audit_with_progress(ledger: Ledger, account_id: str | None) -> Sequence[Difference]:
    every = range(ledger.keys.shards)
    shards = every if account_id is None else [ledger.keys.shard_of(account_id)]
    with Progress(
        "reading the log",
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=sum(log_length(ledger, shard) for shard in shards))

        def advance() -> None:
            progress.advance(task)

        if account_id is not None:
            return audit_account(ledger, account_id, on_entry=advance)
        return audit_ledger(ledger, on_entry=advance)
