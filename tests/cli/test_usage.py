"""What `usage` counts: real calls at chosen times, in the days of the account's time zone."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from gatekeeper.cli.output import utc
from gatekeeper.domain.call import CallEnd
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.history.usage import MAX_DAYS
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from tests.cli.conftest import SHARDS, Gatekeeper, open_account
from tests.cli.stories import NUMBER, call, copy
from tests.cli.terminal import on_terminal
from tests.conftest import MovableClock
from tests.history.written import ms

OTHER_NUMBER = "+15550002222"
SPRING = ("--from", "2026-03-28", "--to", "2026-03-30")
COLUMNS = ["full conversation", "hung up immediately", "dropped", "not answered", "credits used"]
NONE = {"conversation": 0, "hung_up": 0, "dropped": 0, "not_answered": 0, "calls": 0, "credits": 0}


class Past:
    """The ledger at chosen times."""

    def __init__(self, ledger: Ledger) -> None:
        self.clock = MovableClock(ms("2026-01-01T12:00"))
        self.ledger = Ledger(ledger.client, shards=SHARDS, clock=self.clock)

    def call(self, account_id: str, at: str, end: CallEnd = CallEnd.COMPLETED, **more: Any) -> None:
        """Let a call come in and end at a time of UTC."""
        self.clock.now_ms = ms(at)
        call(self.ledger, account_id, end, **more)


@pytest.fixture
def past(ledger: Ledger) -> Past:
    return Past(ledger)


@pytest.fixture
def eventful(past: Past, history: Engine) -> str:
    """An account with calls of each outcome and to two numbers; in Berlin, where clocks change."""
    account_id = open_account(past.ledger, allotment=5, timezone="Europe/Berlin")
    past.call(account_id, "2026-03-28T22:59:59")
    past.call(account_id, "2026-03-28T23:00:00", duration_s=2)
    past.call(account_id, "2026-03-29T12:00:00", CallEnd.NO_ANSWER, number=OTHER_NUMBER)
    past.call(account_id, "2026-03-29T21:59:59", number=OTHER_NUMBER)
    for _ in range(3):
        past.call(account_id, "2026-03-29T22:00:00")
    copy(past.ledger, history)
    return account_id


def test_days_begin_at_the_accounts_midnight(gatekeeper: Gatekeeper, eventful: str) -> None:
    document = gatekeeper.json("usage", eventful, *SPRING)
    assert document == {
        "account": eventful,
        "timezone": "Europe/Berlin",
        "from": "2026-03-27T23:00:00.000Z",
        "until": "2026-03-30T22:00:00.000Z",
        "by": "day",
        "rows": [
            {"day": "2026-03-28", **NONE, "conversation": 1, "calls": 1, "credits": 1},
            {
                "day": "2026-03-29",
                "conversation": 1,
                "hung_up": 1,
                "dropped": 0,
                "not_answered": 1,
                "calls": 3,
                "credits": 2,
            },
            {
                "day": "2026-03-30",
                "conversation": 2,
                "hung_up": 0,
                "dropped": 1,
                "not_answered": 0,
                "calls": 3,
                "credits": 2,
            },
        ],
        "total": {
            "conversation": 4,
            "hung_up": 1,
            "dropped": 1,
            "not_answered": 1,
            "calls": 7,
            "credits": 5,
        },
        "lag": {"entries": 0, "oldest_s": 0.0},
    }


@pytest.mark.parametrize(
    ("timezone", "day", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("Asia/Beirut", "2026-03-29", 23),  # its midnight is left out
        ("UTC", "2026-03-29", 24),
    ],
)
def test_to_is_the_last_day_all_of_it(
    gatekeeper: Gatekeeper, past: Past, history: Engine, timezone: str, day: str, hours: int
) -> None:
    account_id = open_account(past.ledger, allotment=9, timezone=timezone)
    offset = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(timezone)).timestamp()
    begin_ms = int(offset) * 1000
    end_ms = begin_ms + hours * 3_600_000
    for at_ms in (begin_ms - 1, begin_ms, end_ms - 1, end_ms):
        past.clock.now_ms = at_ms
        call(past.ledger, account_id)
    copy(past.ledger, history)
    document = gatekeeper.json("usage", account_id, "--from", day, "--to", day)
    assert (document["from"], document["until"]) == (utc(begin_ms), utc(end_ms))
    (row,) = document["rows"]
    assert (row["day"], row["calls"]) == (day, 2)


def test_the_outcomes_are_worded_as_promised(gatekeeper: Gatekeeper, eventful: str) -> None:
    document = gatekeeper.json("usage", eventful, *SPRING, "--by", "outcome")
    assert [tuple(row.values()) for row in document["rows"]] == [
        ("conversation", "Caller answered, full conversation", 4, 4),
        ("hung_up", "Caller answered, hung up immediately", 1, 1),
        (
            "dropped",
            "Call dropped because balance was empty + auto top-off unavailable",
            1,
            0,
        ),
        (
            "not_answered",
            "Call let through, but busy, failed, canceled or not picked up",
            1,
            0,
        ),
    ]
    header, *rows, total = _table(gatekeeper, eventful, *SPRING, "--by", "outcome")
    assert header == ["outcome", "calls", "credits used"]
    shown = [[row["label"], str(row["calls"]), str(row["credits"])] for row in document["rows"]]
    assert rows == shown
    assert total == ["total", "7", "5"]


def test_a_table_has_totals_and_the_span(gatekeeper: Gatekeeper, eventful: str) -> None:
    shown = gatekeeper.ok("usage", eventful, *SPRING)
    assert shown.splitlines()[0] == "2026-03-28 00:00 until 2026-03-31 00:00, Europe/Berlin"
    assert _table(gatekeeper, eventful, *SPRING) == [
        ["day", *COLUMNS],
        ["2026-03-28", "1", "0", "0", "0", "1"],
        ["2026-03-29", "1", "1", "0", "1", "2"],
        ["2026-03-30", "2", "0", "1", "0", "2"],
        ["total", "4", "1", "1", "1", "5"],
    ]


def _table(gatekeeper: Gatekeeper, *args: str) -> list[list[str]]:
    _, _, *lines = gatekeeper.ok("usage", *args).splitlines()
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_a_table_fits_a_terminal(gatekeeper: Gatekeeper, eventful: str, tmp_path: Path) -> None:
    for by in ("day", "number", "outcome"):
        args = ("usage", eventful, *SPRING, "--by", by)
        shown = on_terminal(*args, env=gatekeeper.env, directory=tmp_path)
        assert max(map(len, shown.splitlines())) <= 80
        assert shown.splitlines()[-1].split()[-1] == "5"


def test_by_number_the_busiest_first_and_idle_ones_too(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, eventful: str
) -> None:
    for number in (NUMBER, "+15550003333"):
        ledger.numbers.assign_number(number, eventful)
    copy(ledger, history)
    document = gatekeeper.json("usage", eventful, *SPRING, "--by", "number")
    counted = [(row["number"], row["calls"], row["credits"]) for row in document["rows"]]
    assert counted == [(NUMBER, 5, 4), (OTHER_NUMBER, 2, 1), ("+15550003333", 0, 0)]
    assert document["rows"][2] == {"number": "+15550003333", **NONE}
    assert document["total"] == gatekeeper.json("usage", eventful, *SPRING)["total"]


@pytest.mark.parametrize(
    ("by", "header", "rows"),
    [
        (
            "day",
            ["day", *COLUMNS],
            [["2026-03-28", "1", "0", "0", "0", "1"], ["2026-03-29", "1", "1", "0", "1", "2"]],
        ),
        (
            "number",
            ["number", *COLUMNS],
            [[NUMBER, "1", "1", "0", "0", "2"], [OTHER_NUMBER, "1", "0", "0", "1", "1"]],
        ),
        (
            "outcome",
            ["outcome", "calls", "credits used"],
            [
                ["Caller answered, full conversation", "2", "2"],
                ["Caller answered, hung up immediately", "1", "1"],
                ["Call dropped because balance was empty + auto top-off unavailable", "0", "0"],
                ["Call let through, but busy, failed, canceled or not picked up", "1", "0"],
            ],
        ),
    ],
)
def test_csv(
    gatekeeper: Gatekeeper, eventful: str, by: str, header: list[str], rows: list[list[str]]
) -> None:
    span = ("--from", "2026-03-28", "--to", "2026-03-29")
    lines = gatekeeper.ok("usage", eventful, *span, "--by", by, "--csv").splitlines()
    assert list(csv.reader(lines, strict=True)) == [header, *rows]


def test_an_account_with_nothing(gatekeeper: Gatekeeper, past: Past, history: Engine) -> None:
    account_id = open_account(past.ledger)
    copy(past.ledger, history)
    document = gatekeeper.json("usage", account_id, *SPRING)
    assert [row["day"] for row in document["rows"]] == ["2026-03-28", "2026-03-29", "2026-03-30"]
    assert document["total"] == NONE
    by_number = gatekeeper.json("usage", account_id, *SPRING, "--by", "number")
    assert (by_number["rows"], by_number["total"]) == ([], NONE)
    assert _table(gatekeeper, account_id, *SPRING, "--by", "number")[1:] == [["total", *"00000"]]


def test_the_current_cycle_unless_told_otherwise(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine
) -> None:
    account_id = open_account(ledger, allotment=3, timezone="America/New_York")
    call(ledger, account_id)
    copy(ledger, history)
    cycle = gatekeeper.json("account", "show", account_id)["cycle"]
    document = gatekeeper.json("usage", account_id)
    assert document["from"] == cycle["start"]
    assert document["total"]["credits"] == 1
    first = document["rows"][0]["day"]
    whole_days = gatekeeper.json("usage", account_id, "--from", first)
    assert whole_days["from"] < document["from"]
    assert whole_days["rows"] == document["rows"]


def test_a_cycle_that_nobody_has_turned_yet(
    gatekeeper: Gatekeeper, past: Past, history: Engine
) -> None:
    anchor_ms = ms("2025-01-05T00:00")
    account_id = open_account(past.ledger, allotment=3, anchor_ms=anchor_ms)
    copy(past.ledger, history)
    period = period_of(anchor_ms, Interval.MONTHLY, wall_clock_ms())
    assert gatekeeper.json("usage", account_id)["from"] == utc(period.start_ms)


def test_a_cycle_that_begins_later_than_now(
    gatekeeper: Gatekeeper, past: Past, history: Engine
) -> None:
    """As after a subscription's clock in Stripe's sandbox was moved on."""
    past.clock.now_ms = wall_clock_ms() + 40 * 86_400_000
    account_id = open_account(past.ledger, allotment=3)
    copy(past.ledger, history)
    begin = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert gatekeeper.json("usage", account_id)["from"] == utc(int(begin.timestamp()) * 1000)


def test_without_a_cycle_the_current_month(
    gatekeeper: Gatekeeper, past: Past, history: Engine
) -> None:
    """As with accounts that were opened before there were cycles."""
    account_id = open_account(past.ledger, timezone="Asia/Tokyo")
    past.ledger.client.hdel(past.ledger.keys.of_account(account_id).account, "cycle_end_ms")
    copy(past.ledger, history)
    tokyo = ZoneInfo("Asia/Tokyo")
    begin = datetime.now(tokyo).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    document = gatekeeper.json("usage", account_id)
    assert document["from"] == utc(int(begin.timestamp()) * 1000)
    assert document["rows"][0]["day"] == f"{begin:%Y-%m-%d}"


def test_figures_that_are_not_final_are_told_so(
    gatekeeper: Gatekeeper, ledger: Ledger, history: Engine, account_id: str
) -> None:
    copy(ledger, history)
    call(ledger, account_id)
    hint = "not final: history lacks the last 2 entries of the log"
    shown = gatekeeper.run("usage", account_id)
    assert shown.stderr.startswith(hint)
    assert hint not in shown.stdout
    as_csv = gatekeeper.run("usage", account_id, "--csv")
    assert as_csv.stderr.startswith(hint)
    assert len(list(csv.reader(as_csv.stdout.splitlines()))) == 2
    assert gatekeeper.json("usage", account_id)["lag"]["entries"] == 2
    copy(ledger, history)
    assert gatekeeper.ok("usage", account_id) != shown.stdout.rstrip("\n")
    assert gatekeeper.json("usage", account_id)["lag"] == {"entries": 0, "oldest_s": 0.0}


def test_as_many_days_as_there_may_be(gatekeeper: Gatekeeper, past: Past, history: Engine) -> None:
    account_id = open_account(past.ledger)
    copy(past.ledger, history)
    first, last, beyond = (
        datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
        for day in (0, MAX_DAYS - 1, MAX_DAYS)
    )
    days = gatekeeper.json("usage", account_id, "--from", first, "--to", last)["rows"]
    assert (len(days), days[-1]["day"]) == (MAX_DAYS, last)
    line = gatekeeper.refused("usage", account_id, "--from", first, "--to", beyond)
    assert line == f"--from, --to: there may be at most {MAX_DAYS} days"
    span = ("--from", "1970-01-01", "--to", "9998-12-31")
    assert gatekeeper.json("usage", account_id, *span, "--by", "number")["total"] == NONE


def test_what_usage_is_not_asked_for(
    gatekeeper: Gatekeeper, history: Engine, account_id: str
) -> None:
    assert "no account" in gatekeeper.refused("usage", "acct_000000000000")
    line = gatekeeper.refused("usage", account_id, "--from", "2026-03-02", "--to", "2026-03-01")
    assert line == "--from, --to: there is no day from 2026-03-02 to 2026-03-01"
    assert "there is no day" in gatekeeper.refused("usage", account_id, "--to", "2020-01-01")
    assert "there is no day" in gatekeeper.refused("usage", account_id, "--from", "9998-12-31")
    for bad in ("yesterday", "2026-02-30", "2026-3-1T00:00", "0001-01-01", "9999-12-31"):
        assert "'--from'" in gatekeeper.usage_error("usage", account_id, "--from", bad)
    said = gatekeeper.usage_error("usage", account_id, "--to", "2026-02-30")
    assert "'2026-02-30' is no day; write YYYY-MM-DD, such as 2026-01-31" in said
    assert "exclude each other" in gatekeeper.usage_error("usage", account_id, "--json", "--csv")
    assert "'--by'" in gatekeeper.usage_error("usage", account_id, "--by", "week")
