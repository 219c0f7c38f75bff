"""CSV: complete, harmless in a spreadsheet, and never more than a page in memory."""

from __future__ import annotations

import csv
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, event

from gatekeeper.domain.call import Reason
from gatekeeper.history import export
from gatekeeper.history.export import (
    CALL_HEADER,
    ENTRY_HEADER,
    csv_of,
    export_calls,
    export_entries,
)
from gatekeeper.history.queries import CallFilter
from tests.history.written import ACCOUNT, NUMBER, OTHER_NUMBER, Told, ms, write

BERLIN = ZoneInfo("Europe/Berlin")
NOON_MS = ms("2026-03-01T12:00")


def test_calls_with_the_times_of_the_zone(engine: Engine) -> None:
    [call_sid] = write(engine, [Told(NOON_MS, duration_s=90)])
    header, row = csv.reader(export_calls(engine, ACCOUNT, BERLIN))
    assert header == list(CALL_HEADER)
    assert dict(zip(header, row, strict=True)) == {
        "call_sid": call_sid,
        "started": "2026-03-01T13:00:00+01:00",
        "number": NUMBER,
        "decision": "answer",
        "reason": "allotment",
        "outcome": "conversation",
        "ended": "2026-03-01T13:00:00+01:00",
        "end": "completed",
        "duration_s": "90",
        "credits": "1",
        "direction": "inbound",
    }


def test_a_call_that_goes_on_has_no_end(engine: Engine) -> None:
    write(engine, [Told(NOON_MS, duration_s=None)])
    [_, row] = csv.reader(export_calls(engine, ACCOUNT, BERLIN))
    assert row[-5:] == ["", "", "", "1", "inbound"]


def test_calls_that_are_chosen(engine: Engine) -> None:
    write(engine, [Told(NOON_MS), Told(NOON_MS, number=OTHER_NUMBER)])
    chosen = CallFilter(number=OTHER_NUMBER)
    [_, row] = csv.reader(export_calls(engine, ACCOUNT, BERLIN, chosen=chosen))
    assert OTHER_NUMBER in row


def test_entries(engine: Engine) -> None:
    [call_sid] = write(engine, [Told(NOON_MS, Reason.PURCHASED)])
    header, end, begin = csv.reader(export_entries(engine, ACCOUNT, BERLIN))
    assert header == list(ENTRY_HEADER)
    assert end[2] == "call_settled"
    assert dict(zip(header, begin, strict=True)) == {
        "id": "1-0",
        "time": "2026-03-01T13:00:00+01:00",
        "type": "call_debited",
        "allotment_change": "-1",
        "purchased_change": "0",
        "allotment": "0",
        "purchased": "0",
        "balance": "0",
        "reference": call_sid,
        "cause": "purchased",
        "number": NUMBER,
        "detail": "",
    }


def test_an_export_reads_a_page_when_it_is_needed(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_PAGE", 10)
    write(engine, [Told(NOON_MS + place) for place in range(95)])
    statements: list[Any] = []
    event.listen(engine, "after_cursor_execute", lambda *args: statements.append(args[2]))
    lines = export_calls(engine, ACCOUNT, BERLIN)
    for _ in range(11):
        next(lines)
    assert sum("FROM calls" in statement for statement in statements) == 1
    assert len(list(lines)) == 95 - 10


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("@cmd", "'@cmd"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        (NUMBER, NUMBER),
        ("-1", "-1"),
        ("-1.5", "-1.5"),
        (-1, "-1"),
        ("a=b", "a=b"),
        ('a "quoted", cell', 'a "quoted", cell'),
        ("two\nlines", "two\nlines"),
        (None, ""),
    ],
)
def test_no_cell_is_a_formula(cell: str | int | None, written: str) -> None:
    lines = list(csv_of(["header"], [[cell, "next"]]))
    assert list(csv.reader(lines, strict=True))[1:] == [[written, "next"]]
    assert lines[0] == "header\r\n"
