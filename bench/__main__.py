"""`python -m bench`: measure, print, and exit with 1 when a figure is not what it should be."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from bench.admission import measure_admission
from bench.audit import measure_audit
from bench.databases import both_databases
from bench.figures import Figure
from bench.generator import UnexpectedAnswer
from bench.history import measure_history
from bench.machine import describe_machine
from bench.pages import measure_pages
from bench.pieces import workbench
from bench.report import Report, print_report, write_report
from bench.rounds import Effort, InvalidRound
from bench.servers import contest
from bench.size import measure_size
from bench.webhook import measure_webhook
from gatekeeper.settings import refuse_live_key
from tests.history.postgres import NoPostgreSQL

_DOCUMENT: Final = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


@click.command()
@click.option("--quick", is_flag=True, help="A short run that shows that all works; not judged.")
@click.option("--write", is_flag=True, help="Write the figures into docs/performance.md too.")
def main(*, quick: bool, write: bool) -> None:
    """Measure the voice webhook, the ledger and history beside other ways to do the same."""
    if quick and write:
        raise click.UsageError("--quick measures too little to be written down")
    refuse_live_key()
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with tempfile.TemporaryDirectory(prefix="gatekeeper-bench-") as directory:
            report, profile = _measure(Path(directory), console, quick=quick)
    except (InvalidRound, NoPostgreSQL, UnexpectedAnswer) as problem:
        raise click.ClickException(str(problem)) from problem
    print_report(report, console)
    if write:
        write_report(report, _DOCUMENT)
    if report.is_missed and not quick:
        console.print(profile, markup=False, highlight=False)
        sys.exit(1)


def _measure(directory: Path, console: Console, *, quick: bool) -> tuple[Report, str]:
    def progress(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    webhook, admission, pages = Effort(7, 3.0), Effort(7, 0.7), Effort(7, 0.3)
    pieces_calls, size_count = 1000, 3000
    copies, log_entries, many_calls = 5, 50_000, 1_000_000
    audited_entries, audited_times = 20_000, 50
    if quick:
        webhook, admission, pages = Effort(1, 0.2), Effort(1, 0.05), Effort(1, 0.01)
        pieces_calls, size_count = 20, 1000
        copies, log_entries, many_calls = 1, 2000, 2000
        audited_entries, audited_times = 1000, 2
    for name in ("servers", "admission", "size", "log", "databases", "audit"):
        (directory / name).mkdir()
    figures: list[Figure] = []
    # The databases first: where there is no PostgreSQL, that is said at once.
    with both_databases(directory / "databases") as databases:
        with contest(directory / "servers") as servers:
            machine = describe_machine(servers.ledger.client, databases)
            figures += measure_webhook(servers, webhook, progress)
            progress("where the time goes")
            with workbench(servers) as bench:
                pieces = [*bench.call_pieces(pieces_calls), *bench.script_pieces(pieces_calls)]
                profile = bench.profile(pieces_calls)
        figures += measure_admission(directory / "admission", admission, progress)
        figures += measure_size(directory / "size", size_count)
        figures += measure_history(
            directory / "log", databases, progress, rounds=copies, log_entries=log_entries
        )
        figures += measure_pages(databases, pages, many_calls, progress)
        figures += measure_audit(
            directory / "audit",
            databases,
            progress,
            log_entries=audited_entries,
            times=audited_times,
        )
    return Report(machine, figures, pieces), profile


if __name__ == "__main__":
    main()
