"""Statements: all that changes a balance but calls, and what reading it costs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event, inspect, text

from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.call import CALL_ENTRIES
from gatekeeper.history.engine import open_history, writing
from gatekeeper.history.export import STATEMENT_HEADER, export_statement
from gatekeeper.history.migrations import Tables, examine_tables, migrate
from gatekeeper.history.queries import BadCursor, entries_page, find_entry, statement_page
from gatekeeper.history.rows import entry_row
from gatekeeper.history.store import LOG_START, record
from gatekeeper.web.portal.statement import exported_words, statement_line
from tests.history.older import insert_into_older, migrate_to
from tests.history.test_cost import FEW, MANY, RATIO_MAX, steps, year
from tests.history.written import ACCOUNT, OTHER, ms, write

NOON_MS = ms("2026-03-01T12:00")
BERLIN = ZoneInfo("Europe/Berlin")
LINES = 60
NOT_IN_STATEMENTS = CALL_ENTRIES | {
    EntryType.TOPOFF_REQUESTED,
    EntryType.ACCOUNT_CHANGED,
    EntryType.INCIDENT_RESOLVED,
}


def line(
    place: int, type_: EntryType = EntryType.CREDITS_ADDED, account_id: str = ACCOUNT
) -> Entry:
    return Entry(
        id=f"{place + 1}-7",
        at_ms=NOON_MS + place,
        account_id=account_id,
        type=type_,
        allotment_delta=0,
        purchased_delta=5,
        allotment=0,
        purchased=5 * place,
        ref=f"ref-{place}",
        cause="=gift",
        number="",
        detail="",
    )


def store(engine: Engine, lines: list[Entry]) -> None:
    assert record(engine, 0, lines, before=LOG_START, after=LOG_START)


def _pages(engine: Engine, account_id: str, limit: int) -> Iterator[Entry]:
    page = statement_page(engine, account_id, limit=limit)
    while True:
        assert len(page.items) <= limit
        yield from page.items
        if page.next is None:
            return
        page = statement_page(engine, account_id, after=page.next, limit=limit)


def test_every_entry_but_those_of_calls_and_requests_is_a_line(engine: Engine) -> None:
    others = [type_ for type_ in EntryType if type_ not in CALL_ENTRIES]
    store(engine, [line(place, type_) for place, type_ in enumerate(others)])
    write(engine, year(ACCOUNT, 50), first=100)
    told = [entry.type for entry in _pages(engine, ACCOUNT, 4)]
    assert told == [type_ for type_ in reversed(others) if type_ not in NOT_IN_STATEMENTS]
    everything = entries_page(engine, ACCOUNT, limit=1000).items
    assert told == [entry.type for entry in everything if entry.type not in NOT_IN_STATEMENTS]


def test_lines_of_others_are_not_shown(engine: Engine) -> None:
    store(engine, [line(1), line(2, account_id=OTHER)])
    assert [entry.id for entry in _pages(engine, ACCOUNT, 9)] == ["2-7"]
    assert find_entry(engine, ACCOUNT, "2-7") == line(1)
    for strange in ("3-7", "", "2", "2-7 ", "x-y", "9" * 30 + "-1"):
        assert find_entry(engine, ACCOUNT, strange) is None
    with pytest.raises(BadCursor):
        statement_page(engine, ACCOUNT, after="2-7'")


@pytest.mark.parametrize("limit", [1, 7, 59, 60, 61])
def test_pages_put_together_are_the_whole(engine: Engine, limit: int) -> None:
    store(engine, [line(place) for place in range(LINES)])
    assert [entry.id for entry in _pages(engine, ACCOUNT, limit)] == [
        line(place).id for place in reversed(range(LINES))
    ]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_databases_use_the_index(engine: Engine, count: int) -> None:
    """With few calls as with many, and whether or not statistics were gathered."""
    write(engine, year(ACCOUNT, count // 4), first=100)
    store(engine, [line(place) for place in range(LINES)])
    statements: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2:4]))
    statement_page(engine, ACCOUNT, after="50-7", limit=10)
    sql, parameters = statements[-1]
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with writing(engine) as connection:
        connection.execute(text("ANALYZE"))
        plan = str(connection.exec_driver_sql(explain + sql, parameters).all())  # type: ignore[arg-type]
    assert "entries_of_statement" in plan


def test_lines_cost_the_same_with_many_calls(tmp_path_factory: pytest.TempPathFactory) -> None:
    engine = open_history(f"sqlite:///{tmp_path_factory.mktemp('cost') / 'history.sqlite'}")
    migrate(engine)
    write(engine, year(ACCOUNT, FEW), first=1000)
    write(engine, year(OTHER, MANY), first=1000 + FEW)
    for account_id in (ACCOUNT, OTHER):
        store(engine, [line(place, account_id=account_id) for place in range(LINES)])
    few, many = (steps(engine, statement_page, account_id) for account_id in (ACCOUNT, OTHER))
    assert few > 0
    assert many <= RATIO_MAX * few, (few, many)
    engine.dispose()


def _exported(engine: Engine) -> Iterator[str]:
    return export_statement(engine, ACCOUNT, BERLIN, words=exported_words)


def test_an_export_is_complete_and_says_what_was_paid(engine: Engine) -> None:
    paid = replace(
        line(2, EntryType.TOPOFF_SUCCEEDED), detail="4000 usd", cause="pi_1", ref="top-off"
    )
    failed = replace(line(3, EntryType.TOPOFF_FAILED), detail="4000 usd", cause="declined")
    old = line(1, EntryType.TOPOFF_SUCCEEDED)
    back = replace(line(4, EntryType.CREDITS_CLAWED_BACK), detail="re_1 1050 usd", cause="refund")
    again = replace(line(5, EntryType.CREDITS_RETURNED), detail="re_1 1050 usd", cause="refund")
    store(engine, [line(0), old, paid, failed, back, again])
    header, *rows = csv.reader(_exported(engine), strict=True)
    assert header == list(STATEMENT_HEADER)
    told = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(each["paid"], each["currency"]) for each in told] == [
        ("10.50", "USD"),
        ("-10.50", "USD"),
        ("", ""),
        ("40.00", "USD"),
        ("", ""),
        ("", ""),
    ]
    assert told[3] == {
        "id": "3-7",
        "time": "2026-03-01T13:00:00+01:00",
        "type": "topoff_succeeded",
        "allotment_change": "0",
        "purchased_change": "5",
        "allotment": "0",
        "purchased": "10",
        "balance": "10",
        "paid": "40.00",
        "currency": "USD",
        "reference": "top-off",
        "cause": "pi_1",
        "what": "Auto top-off",
        "state": "Paid",
    }
    assert told[5]["cause"] == "'=gift"


def test_a_database_with_entries_gets_the_index(database_url: str) -> None:
    engine = open_history(database_url)
    migrate_to(engine, "0001")
    insert_into_older(engine, "entries", entry_row(line(0)))
    assert examine_tables(engine) is Tables.OUTDATED
    assert "entries_of_statement" not in _indexes(engine)
    migrate(engine)
    assert examine_tables(engine) is Tables.CURRENT
    assert "entries_of_statement" in _indexes(engine)
    assert statement_page(engine, ACCOUNT).items == [line(0)]
    engine.dispose()


def test_a_line_of_a_newer_version_is_shown_as_it_is(engine: Engine) -> None:
    store(engine, [line(0)])
    with writing(engine) as connection:
        connection.execute(text("UPDATE entries SET type = 'credits_borrowed'"))
    (told,) = statement_page(engine, ACCOUNT).items
    assert (told.type, told.purchased_delta) == ("credits_borrowed", 5)
    _, row = _exported(engine)
    assert "credits_borrowed" in row
    assert statement_line(told).what == "credits_borrowed"


def _indexes(engine: Engine) -> set[str | None]:
    return {index["name"] for index in inspect(engine).get_indexes("entries")}
