"""What history is measured with is as the real thing, and a round that went wrong is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, update

from bench.busy_log import BusyDay
from bench.databases import Database, both_databases
from bench.figures import Comparison
from bench.history import measure_history
from bench.pages import FEW_CALLS, measure_pages
from bench.rounds import Effort, InvalidRound
from bench.years import Year, check, fill
from gatekeeper.domain.entry import EntryType
from gatekeeper.history.engine import writing
from gatekeeper.history.tables import calls, entries, meter_readings
from gatekeeper.ledger.client import connect
from gatekeeper.sandbox.valkey import EmbeddedValkey

NAMES = ("SQLite", "PostgreSQL")
TYPES = (
    EntryType.CALL_DEBITED,
    EntryType.CALL_DROPPED,
    EntryType.CALL_SETTLED,
    EntryType.CALL_RELEASED,
    EntryType.TOPOFF_REQUESTED,
    EntryType.TOPOFF_SUCCEEDED,
)
FEW, MANY = Year("acct_aaaaaaaaaaaa", 60), Year("acct_bbbbbbbbbbbb", 500)


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Database]]:
    with both_databases(tmp_path_factory.mktemp("databases")) as found:
        yield found


def test_a_busy_day_has_all_that_a_log_has(tmp_path: Path) -> None:
    with (
        EmbeddedValkey(tmp_path) as server,
        connect(server.url, timeout_s=10, max_connections=2) as client,
    ):
        day = BusyDay(client)
        day.write(9000)
        log = list(day.ledger.log.shard_entries(0))
        accounts = day.ledger.accounts
        balances = {id_: accounts.account(id_).balance for id_ in accounts.ids()}
    assert 9000 <= len(log) < 9100
    types = Counter(entry.type for entry in log)
    assert [type_ for type_ in TYPES if types[type_] < 10] == []
    sums: Counter[str] = Counter()
    for entry in log:
        sums[entry.account_id] += entry.allotment_delta + entry.purchased_delta
    assert sums == balances


def test_copying_is_compared_on_both_databases(
    tmp_path: Path, databases: Sequence[Database]
) -> None:
    told: list[str] = []
    figures = measure_history(tmp_path, databases, told.append, rounds=1, log_entries=1500)
    wanted = [(each.name, each.ratio_wanted, each.ours_wanted) for each in figures]
    assert wanted == [
        ("the log into SQLite", 0.3, None),
        ("the log into SQLite", None, 5000),
        ("the log into PostgreSQL", 0.3, None),
        ("the log into PostgreSQL", None, 3000),
    ]
    assert all(len(figure.ours) == len(figure.others) == 1 for figure in figures)
    assert all(min(*figure.ours, *figure.others) > 0 for figure in figures)
    assert "round 1" in told[-1]


def test_years_are_inserted_as_the_writer_writes_them(databases: Sequence[Database]) -> None:
    for database in databases:
        with database.empty_history() as history:
            fill([history], [MANY, FEW])
            check(database, history, FEW)
            check(database, history, MANY)


@pytest.mark.parametrize("column", [entries.c.cause, calls.c.ended_at_ms, meter_readings.c.dropped])
def test_years_that_are_not_as_written_are_refused(
    databases: Sequence[Database], column: Column[Any]
) -> None:
    with databases[0].empty_history() as history:
        fill([history], [FEW])
        with writing(history.engine) as connection:
            connection.execute(update(column.table).values({column: 7}))
        with pytest.raises(InvalidRound, match=column.table.name):
            check(databases[0], history, FEW)


def test_queries_are_compared_on_both_databases(databases: Sequence[Database]) -> None:
    figures = measure_pages(databases, Effort(1, 0.001), 2 * FEW_CALLS, lambda _: None)
    queries = [figure.name.removeprefix("SQLite, ") for figure in figures[: len(figures) // 2]]
    assert [figure.name for figure in figures] == [
        f"{name}, {query}" for name in NAMES for query in queries
    ]
    assert {figure.ratio_most_wanted for figure in figures} == {1.5}


def test_a_query_that_finds_too_little_is_refused(databases: Sequence[Database]) -> None:
    with pytest.raises(InvalidRound, match="instead of 50"):
        measure_pages(databases[:1], Effort(1, 0.001), 100, lambda _: None)


def test_what_is_wanted_of_a_comparison() -> None:
    bounds = {"ratio_most_wanted": 1.5, "ours_wanted": 10.0}
    assert not Comparison("f", "other", "1/s", [15], [10], **bounds).is_missed
    assert Comparison("f", "other", "1/s", [16], [10], **bounds).is_missed
    assert Comparison("f", "other", "1/s", [9], [9], **bounds).is_missed
