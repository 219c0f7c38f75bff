"""`gatekeeper usage`: what an account's calls came to, and the credits that they used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.output import check_forms, csv_option, json_option, show, show_csv, table, utc
from gatekeeper.cli.parameters import Day, account_argument
from gatekeeper.domain.account import Account, InvalidSettings
from gatekeeper.domain.cycle import period_of
from gatekeeper.history.call import Outcome
from gatekeeper.history.export import Cell, csv_of
from gatekeeper.history.lag import Lag, read_lag
from gatekeeper.history.meter import NOTHING, Usage
from gatekeeper.history.usage import (
    MAX_DAYS,
    local_date,
    midnight_ms,
    usage_by_day,
    usage_by_number,
    usage_by_outcome,
)
from gatekeeper.ledger.store import wall_clock_ms

_COLUMNS: Final = {
    Outcome.CONVERSATION: "full conversation",
    Outcome.HUNG_UP: "hung up immediately",
    Outcome.DROPPED: "dropped",
    Outcome.NOT_ANSWERED: "not answered",
}
_CREDITS: Final = "credits used"
_DAY, _NUMBER, _OUTCOME = "day", "number", "outcome"


@dataclass(frozen=True, slots=True)
class Span:
    """From `since_ms`, included, to `until_ms`, excluded, in an account's time zone."""

    since_ms: int
    until_ms: int
    zone: ZoneInfo

    @property
    def first(self) -> date:
        """The day it begins on."""
        return local_date(self.zone, self.since_ms)

    @property
    def last(self) -> date:
        """The day it ends on."""
        return local_date(self.zone, self.until_ms - 1)

    def __str__(self) -> str:
        moments = (
            datetime.fromtimestamp(at_ms / 1000, self.zone)
            for at_ms in (self.since_ms, self.until_ms)
        )
        since, until = (f"{moment:%Y-%m-%d %H:%M}" for moment in moments)
        return f"{since} until {until}, {self.zone}"


@dataclass(frozen=True, slots=True)
class Report:
    """Usage by day, number or outcome: each with its name, and all together."""

    by: str
    rows: Sequence[tuple[str, Usage]]
    total: Usage


@click.command()
@account_argument
@click.option(
    "--from",
    "first",
    type=Day(),
    help="The first day; not given, from the moment at which the current cycle began.",
)
@click.option("--to", "last", type=Day(), help="The last day, all of it; not given, today.")
@click.option(
    "--by",
    type=click.Choice([_DAY, _NUMBER, _OUTCOME]),
    default=_DAY,
    show_default=True,
    help="What to count calls for.",
)
@csv_option
@json_option
def usage(
    account_id: str,
    first: date | None,
    last: date | None,
    by: str,
    *,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Count an account's calls by what they came to, and the credits that they used.

    Days are those of the account's time zone, and a call counts for the day on which it began.
    Without --from the first day counts only from the moment at which the cycle began. Without a
    cycle, or when it has not begun yet, the current month stands for it. --csv has no totals.
    """
    check_forms(as_json=as_json, as_csv=as_csv)
    parts = load_parts()
    account = parts.ledger.accounts.account(account_id)
    span = _span(account, first, last, wall_clock_ms())
    # Read before what is counted: what is copied in between is counted, and hinted at in vain.
    lag = read_lag(parts.ledger)
    report = _report(parts, account_id, span, by)
    if as_csv:
        show_csv(csv_of(_names(by), _lines(report)))
    else:
        show(_document(account_id, span, report, lag), _text(span, report), as_json=as_json)
    if lag.entries and not as_json:
        click.echo(
            f"not final: history lacks the last {lag.entries} entries of the log, the oldest for"
            f" {lag.oldest_s:.1f} s",
            err=True,
        )


def _span(account: Account, first: date | None, last: date | None, now_ms: int) -> Span:
    """Find the span from the beginning of one day to the end of another. Raises InvalidSettings."""
    zone = ZoneInfo(account.timezone)
    last = last or local_date(zone, now_ms)
    since_ms = midnight_ms(zone, first) if first else _cycle_start_ms(account, zone, now_ms)
    span = Span(since_ms, midnight_ms(zone, last + timedelta(days=1)), zone)
    if span.since_ms >= span.until_ms:
        raise InvalidSettings({"--from, --to": f"there is no day from {span.first} to {last}"})
    return span


def _cycle_start_ms(account: Account, zone: ZoneInfo, now_ms: int) -> int:
    # A subscription's clock at Stripe can be ahead of ours: a test clock, moved on by hand.
    if account.cycle_end_ms is None or now_ms < account.cycle_start_ms:
        return midnight_ms(zone, local_date(zone, now_ms).replace(day=1))
    if now_ms < account.cycle_end_ms:
        return account.cycle_start_ms
    # The ledger turns a cycle with the first call, or by the clock.
    return period_of(account.anchor_ms, account.interval, now_ms).start_ms


def _report(parts: Parts, account_id: str, span: Span, by: str) -> Report:
    engine, since_ms, until_ms = parts.history, span.since_ms, span.until_ms
    if by == _OUTCOME:
        total = usage_by_outcome(engine, account_id, since_ms, until_ms)
        alone = {outcome: Usage(**{outcome: total.of(outcome)}) for outcome in Outcome}
        return Report(by, list(alone.items()), total)
    if by == _NUMBER:
        numbers = usage_by_number(engine, account_id, since_ms, until_ms)
        rows = [(each.number, each.usage) for each in numbers]
        idle = set(parts.ledger.numbers.of_account(account_id)) - dict(rows).keys()
        rows += [(number, NOTHING) for number in sorted(idle)]
    else:
        if (span.last - span.first).days >= MAX_DAYS:
            raise InvalidSettings({"--from, --to": f"there may be at most {MAX_DAYS} days"})
        days = usage_by_day(engine, account_id, span.zone, since_ms, until_ms)
        rows = [(each.day.isoformat(), each.usage) for each in days]
    return Report(by, rows, sum((used for _, used in rows), NOTHING))


def _names(by: str) -> tuple[str, ...]:
    return (by, "calls", _CREDITS) if by == _OUTCOME else (by, *_COLUMNS.values(), _CREDITS)


def _lines(report: Report) -> Iterator[tuple[Cell, ...]]:
    for name, used in report.rows:
        is_outcome = report.by == _OUTCOME
        yield _line(report.by, Outcome(name).label if is_outcome else name, used)


def _line(by: str, name: str, used: Usage) -> tuple[Cell, ...]:
    if by == _OUTCOME:
        return name, used.calls, used.credits
    return name, *map(used.of, _COLUMNS), used.credits


def _text(span: Span, report: Report) -> str:
    names = _names(report.by)
    lines = [*_lines(report), _line(report.by, "total", report.total)]
    cut = (_COLUMNS[Outcome.CONVERSATION], _COLUMNS[Outcome.HUNG_UP], _OUTCOME)
    return f"{span}\n\n{table(names, map(_texts, lines), right=names[1:], cut=cut)}"


def _texts(cells: Iterable[Cell]) -> tuple[str, ...]:
    return tuple(map(str, cells))


def _document(account_id: str, span: Span, report: Report, lag: Lag) -> dict[str, Any]:
    return {
        "account": account_id,
        "timezone": str(span.zone),
        "from": utc(span.since_ms),
        "until": utc(span.until_ms),
        "by": report.by,
        "rows": [_row_document(report.by, name, used) for name, used in report.rows],
        "total": _counts(report.total),
        "lag": {"entries": lag.entries, "oldest_s": lag.oldest_s},
    }


def _row_document(by: str, name: str, used: Usage) -> dict[str, Any]:
    if by == _OUTCOME:
        return {
            by: name,
            "label": Outcome(name).label,
            "calls": used.calls,
            "credits": used.credits,
        }
    return {by: name, **_counts(used)}


def _counts(used: Usage) -> dict[str, int]:
    counts = {outcome.value: used.of(outcome) for outcome in Outcome}
    return {**counts, "calls": used.calls, "credits": used.credits}
