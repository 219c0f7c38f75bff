"""Keeps the meters: corrects their readings by the calls that began, ended or were dropped."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, func, select

from gatekeeper.history.batch import Row, batch, delete_batch, rows_of, write_batch
from gatekeeper.history.call_writer import Moves, Place
from gatekeeper.history.meter import QUARTER_MS, Usage, corrected
from gatekeeper.history.rows import read_usage, usage_row
from gatekeeper.history.tables import ALL_NUMBERS, meter_readings

#: Account and number; with ALL_NUMBERS the account's whole meter.
_Meter = tuple[str, str]
_ByQuarter = Mapping[int, Usage]
_KEY: Final = tuple(meter_readings.primary_key)


def write_meters(connection: Connection, moves: Moves) -> None:
    """Correct the meters of all numbers and accounts whose calls moved."""
    changes = _changes(moves)
    if not changes:
        return
    readings = _read_meters(connection, changes)
    different: list[Row] = []
    idle: list[Row] = []
    for meter, by_quarter in changes.items():
        shown, unmoved = corrected(readings.get(meter, {}), by_quarter)
        different += [_key(meter, quarter) | usage_row(usage) for quarter, usage in shown.items()]
        idle += [_key(meter, quarter) for quarter in unmoved]
    write_batch(connection, meter_readings, different)
    delete_batch(connection, meter_readings, idle)


def _key(meter: _Meter, quarter: int) -> dict[str, str | int]:
    account_id, number = meter
    return {"account_id": account_id, "number": number, "quarter": quarter}


def _changes(moves: Moves) -> dict[_Meter, _ByQuarter]:
    """Sum up what calls that moved change in each quarter of an hour."""
    sums: dict[_Meter, dict[int, Usage]] = defaultdict(lambda: defaultdict(Usage))

    def count(place: Place, calls: int) -> None:
        one = Usage(**{place.outcome.value: calls})
        for number in (place.number, ALL_NUMBERS):
            sums[place.account_id, number][place.started_at_ms // QUARTER_MS] += one

    for place in moves.left:
        count(place, -1)
    for place in moves.taken:
        count(place, 1)
    return dict(sums)


def _read_meters(
    connection: Connection, changes: Mapping[_Meter, _ByQuarter]
) -> dict[_Meter, dict[int, Usage]]:
    """Read each meter from the last reading before its first change on."""
    first = [_key(meter, min(by_quarter)) for meter, by_quarter in changes.items()]
    query = _readings_since(connection.dialect.name)
    found: dict[_Meter, dict[int, Usage]] = defaultdict(dict)
    for row in connection.execute(query, rows_of(connection, _KEY, first)).mappings().all():
        found[row["account_id"], row["number"]][row["quarter"]] = read_usage(row)
    return found


@cache
def _readings_since(dialect: str) -> Select[Any]:
    first = batch(dialect, _KEY)
    earlier = meter_readings.alias("earlier")
    last_before = (
        select(func.max(earlier.c.quarter))
        .where(
            earlier.c.account_id == first.c.account_id,
            earlier.c.number == first.c.number,
            earlier.c.quarter < first.c.quarter,
        )
        .scalar_subquery()
    )
    is_wanted = and_(
        meter_readings.c.account_id == first.c.account_id,
        meter_readings.c.number == first.c.number,
        meter_readings.c.quarter >= func.coalesce(last_before, first.c.quarter),
    )
    return select(meter_readings).join(first, is_wanted)
