"""`gatekeeper simulate`: calls against a running gate."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.progress import Progress

from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import json_option
from gatekeeper.cli.parameters import AccountId
from gatekeeper.cli.sentences import one_line
from gatekeeper.cli.simulation import Line, Report, compare
from gatekeeper.cli.simulation import simulate as run
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.caller import NotLoopbackError, TwilioCaller
from gatekeeper.settings import refuse_live_key

_CONNECT_TIMEOUT_S: Final = 2.0


@click.command()
@click.option("--calls", type=click.IntRange(1, 1_000_000), default=200, show_default=True)
@click.option(
    "--rate",
    type=click.FloatRange(0.1, 5000),
    default=20.0,
    show_default=True,
    help="Calls a second.",
)
@click.option("--target", help="The gate's address on this machine; by default its PORT.")
@click.option(
    "--account",
    "account_ids",
    type=AccountId(),
    multiple=True,
    help="Only numbers of these accounts.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same mixture again.")
@json_option
def simulate(
    *,
    calls: int,
    rate: float,
    target: str | None,
    account_ids: tuple[str, ...],
    seed: int,
    as_json: bool,
) -> None:
    """Make calls as Twilio does against a running gate, then check the ledger against them.

    The calls burn the credits of the accounts they reach. Nothing but this machine is called, and
    not with a live Stripe key set.
    """
    refuse_live_key()
    parts = load_parts()
    settings, ledger = parts.settings, parts.ledger
    lines = _lines(ledger, account_ids)
    base = (target or f"http://127.0.0.1:{settings.port}").rstrip("/")
    try:
        caller = TwilioCaller(
            f"{base}/voice/incoming",
            f"{base}/voice/status",
            f"{base}/voice/fallback",
            account_sid=settings.twilio_account_sid,
            auth_token=settings.twilio_tokens[settings.twilio_account_sid][-1],
            public_url=settings.public_origin,
        )
    except NotLoopbackError as error:
        raise click.ClickException(str(error)) from error
    _require_answer(base)
    with caller, _progress(calls, quiet=as_json) as on_call:
        placed = run(caller, lines, calls=calls, rate_per_s=rate, seed=seed, on_call=on_call)
    report = compare(placed, lines, ledger)
    _print_report(report, as_json=as_json)
    sys.exit(1 if report.differences else 0)


def _lines(ledger: Ledger, account_ids: tuple[str, ...]) -> list[Line]:
    for id_ in account_ids:
        ledger.accounts.account(id_)  # an unknown account is not one without numbers
    ids = account_ids or tuple(ledger.accounts.ids())
    lines = [Line(number, id_) for id_ in ids for number in ledger.numbers.of_account(id_)]
    if not lines:
        who = "none of these accounts" if account_ids else "no account"
        raise click.ClickException(f"{who} has a number: see `gatekeeper number assign`")
    return lines


def _require_answer(base: str) -> None:
    parts = urlsplit(base)
    try:
        socket.create_connection((parts.hostname, parts.port or 80), _CONNECT_TIMEOUT_S).close()
    except (OSError, ValueError):  # the second: a port that is none
        pass
    else:
        return
    raise click.ClickException(
        f"nothing answers at {one_line(base)}: start a gate with `gatekeeper serve`,"
        " or give its --target"
    )


@contextmanager
def _progress(calls: int, *, quiet: bool) -> Iterator[Callable[[], object]]:
    console = Console(stderr=True)
    with Progress(console=console, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("Calls", total=calls)
        yield lambda: progress.advance(task)


def _print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    click.echo(
        f"{report.calls} calls: {report.answered} answered, {report.dropped} dropped,"
        f" {report.failed} failed; the slowest webhook took {report.slowest_ms:.0f} ms"
    )
    for difference in report.differences[:20]:
        click.echo(difference, err=True)
    verdict = f"{len(report.differences)} calls differ" if report.differences else "agrees"
    click.echo(f"The ledger against what the callers saw: {verdict}")
