"""Calls: what was debited, what the ledger keeps of them, and what SQL has."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import ColumnElement, select, update

from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.entry import EntryType
from gatekeeper.history.engine import reading
from gatekeeper.history.tables import ALL_NUMBERS, calls, meter_readings
from gatekeeper.ledger.ledger import Ledger
from tests.audit.books import Books, assert_told
from tests.cli.conftest import ACCOUNT_SID
from tests.cli.stories import NUMBER, call

#: Changes what is known of a call, and returns what the audit's lines must say.
Corrupt = Callable[[Books, str], list[str]]


@pytest.fixture
def sid(books: Books) -> str:
    """A completed call that is in SQL."""
    sid = call(books.ledger, books.account_id, CallEnd.COMPLETED)
    books.copy()
    return sid


def _doubled_debit(books: Books, sid: str) -> list[str]:
    """Debit a call again, with a balance and sums that fit, in both stores."""
    books.append_again(next(e for e in books.entries(EntryType.CALL_DEBITED) if e.ref == sid))
    return [f"call {sid} was debited twice"]


def _changed_record(old: str, new: str, told: str) -> Corrupt:
    def corrupt(books: Books, sid: str) -> list[str]:
        key = books.ledger.keys.of_account(books.account_id).call(CallId(ACCOUNT_SID, sid))
        record = books.ledger.client.get(key)
        assert isinstance(record, str)
        assert old in record[:6]
        books.ledger.client.set(key, record[:6].replace(old, new) + record[6:])
        return [f"call {sid} {told}"]

    return corrupt


def _changed_in_sql(told: str, **values: object) -> Corrupt:
    def corrupt(books: Books, sid: str) -> list[str]:
        books.sql(update(calls).where(calls.c.call_sid == sid).values(values))
        return [f"call {sid} has {told}"]

    return corrupt


def _deleted_in_sql(books: Books, sid: str) -> list[str]:
    books.sql(calls.delete().where(calls.c.call_sid == sid))
    return [
        f"1 calls ({sid} ...) have entries, but are not among SQL's",
        f"the meter of all its numbers shows {_calls(books)} calls",
        f"the meter of {NUMBER} shows {_calls(books)} calls",
    ]


def _calls(books: Books) -> int:
    call_types = (EntryType.CALL_DEBITED, EntryType.CALL_DROPPED)
    return len({entry.ref for type_ in call_types for entry in books.entries(type_)})


def _made_up_in_sql(books: Books, sid: str) -> list[str]:
    books.sql(update(calls).where(calls.c.call_sid == sid).values(call_sid="CA0"))
    return [
        "call CA0 is among the calls of SQL, but no entry tells of it",
        f"1 calls ({sid} ...) have entries, but are not among SQL's",
    ]


def _changed_meter(books: Books, _: str) -> list[str]:
    _change_reading(books, ALL_NUMBERS, -1, dropped=meter_readings.c.dropped + 3)
    return [f"the meter of all its numbers shows {_calls(books) + 3} calls"]


def _readings(books: Books, number: str) -> list[int]:
    """The quarters of an hour for which a meter has a reading."""
    column = meter_readings.c.quarter
    query = select(column).where(*_is_of_meter(books, number)).order_by(column)
    with reading(books.engine) as connection:
        return list(connection.scalars(query))


def _is_of_meter(books: Books, number: str) -> tuple[ColumnElement[bool], ...]:
    owned = meter_readings.c.account_id == books.account_id
    return owned, meter_readings.c.number == number


def _is_reading(books: Books, number: str, index: int) -> tuple[ColumnElement[bool], ...]:
    quarter = _readings(books, number)[index]
    return *_is_of_meter(books, number), meter_readings.c.quarter == quarter


def _change_reading(books: Books, number: str, index: int, **values: object) -> None:
    is_it = _is_reading(books, number, index)
    books.sql(update(meter_readings).where(*is_it).values(values))


@pytest.fixture
def hourly(books: Books) -> Books:
    """Books whose account had a call in each of some hours before, too."""
    now_ms = int(time.time() * 1000)
    for hours in (5, 4, 3):
        then = partial(int, now_ms - hours * 3_600_000)
        earlier = Ledger(books.ledger.client, shards=books.ledger.keys.shards, clock=then)
        call(earlier, books.account_id)
    books.copy()
    assert books.found() == []
    return books


@pytest.mark.parametrize("number", [ALL_NUMBERS, NUMBER])
def test_an_earlier_reading_that_was_changed(hourly: Books, number: str) -> None:
    _change_reading(hourly, number, 1, conversation=7)
    quarter = _readings(hourly, number)[1]
    told = f"shows 7 calls (7 conversation) for quarter {quarter}, but there had been 2 calls (2"
    assert_told([told], hourly.found())


def test_an_earlier_reading_that_was_deleted(hourly: Books) -> None:
    quarter = _readings(hourly, NUMBER)[1]
    hourly.sql(meter_readings.delete().where(*_is_reading(hourly, NUMBER, 1)))
    told = f"the meter of {NUMBER} has no reading for quarter {quarter}, but there had been 2 calls"
    assert_told([told], hourly.found())


def test_an_earlier_reading_that_was_shifted(hourly: Books) -> None:
    quarter = _readings(hourly, ALL_NUMBERS)[1]
    _change_reading(hourly, ALL_NUMBERS, 1, quarter=quarter + 1)
    told = f"has no reading for quarter {quarter}, but there had been 2 calls (2 conversation) by"
    (found,) = hourly.found()
    assert told in found
    assert "; 1 later readings differ too" in found


def test_a_reading_in_which_nothing_moved(hourly: Books) -> None:
    quarter = _readings(hourly, NUMBER)[1] + 1
    row = (hourly.account_id, NUMBER, quarter, 2, 0, 0, 0)
    hourly.sql(meter_readings.insert().values(row))
    told = f"the meter of {NUMBER} has a reading for quarter {quarter}, in which no call began"
    assert_told([told], hourly.found())


def test_all_readings_of_an_account_that_were_deleted(hourly: Books) -> None:
    its_own = meter_readings.c.account_id == hourly.account_id
    hourly.sql(meter_readings.delete().where(its_own))
    told = [f"the meter of {whose} has no reading" for whose in ("all its numbers", NUMBER)]
    assert_told(told, hourly.found())


def _told_to_drop(books: Books, known: CallId) -> None:
    books.ledger.calls.admit_offline(books.account_id, known, NUMBER, Decision.DROP)


def test_a_release_of_a_call_that_had_been_settled(books: Books, sid: str) -> None:
    released = books.entries(EntryType.CALL_RELEASED)[0]
    books.append_again(replace(released, ref=sid, allotment_delta=0, purchased_delta=1))
    found = books.found()
    assert f"call {sid} was released as {released.cause} after it had been settled" in found
    assert (
        f"call {sid} keeps its credit by its record, but an entry says that it went back" in found
    )


def test_an_open_call_whose_record_forgot_its_debit(books: Books) -> None:
    sid = call(books.ledger, books.account_id, None)
    (must_tell,) = _changed_record("1", "0", "was not debited by its record, but an entry says so")(
        books, sid
    )
    assert_told([must_tell], books.found())


def test_a_drop_that_was_told_after_the_call_had_been_settled(books: Books, sid: str) -> None:
    _told_to_drop(books, CallId(ACCOUNT_SID, sid))
    books.copy()
    assert books.found() == []


def test_a_second_debit_after_a_release(books: Books) -> None:
    sid = call(books.ledger, books.account_id, CallEnd.BUSY)
    books.append_again(next(e for e in books.entries(EntryType.CALL_DEBITED) if e.ref == sid))
    assert_told([f"call {sid} was debited again after its credit had gone"], books.found()[:1])


def test_a_second_debit_after_a_drop_of_a_settled_call(books: Books, sid: str) -> None:
    _told_to_drop(books, CallId(ACCOUNT_SID, sid))
    debit = next(e for e in books.entries(EntryType.CALL_DEBITED) if e.ref == sid)
    books.append_again(replace(debit, cause="ledger_unreachable"))
    assert_told([f"call {sid} was debited again after its credit had gone"], books.found()[:1])


@pytest.mark.parametrize(
    "corrupt",
    [
        _doubled_debit,
        _changed_record("p", "a", "was debited by its record, but its entry explains it otherwise"),
        _changed_record("k", "r", "has ended by its record, but no entry says so (call_released)"),
        _changed_record("1", "0", "was answered and completed by its record, but no credit was"),
        _changed_record("k", "?", "has a record that cannot be read"),
        _changed_in_sql("debits 2 in SQL and 1 by its entries", debits=2),
        _changed_in_sql("releases 1 in SQL and 0 by its entries", releases=1),
        _changed_in_sql("outcome 'dropped' in SQL", outcome="dropped"),
        _changed_in_sql("duration_s 11 in SQL and 10 by its entries", duration_s=11),
        _deleted_in_sql,
        _made_up_in_sql,
        _changed_meter,
    ],
)
def test_it_names_the_call_and_what_differs(books: Books, sid: str, corrupt: Corrupt) -> None:
    assert books.found() == []
    must_tell = corrupt(books, sid)
    found = books.found()
    # An outcome is counted by the meters too.
    found = [what for what in found if "outcome" not in must_tell[0] or "meter" not in what]
    assert_told(must_tell, found)


def test_a_call_may_have_been_hung_up_at_once_by_the_setting_of_then(
    books: Books, sid: str
) -> None:
    books.sql(update(calls).where(calls.c.call_sid == sid).values(outcome="hung_up"))
    assert all("meter" in what for what in books.found())


def test_a_dropped_call_whose_record_was_changed(books: Books) -> None:
    books.set_account(suspended="1")
    sid = call(books.ledger, books.account_id)
    (must_tell,) = _changed_record("su", "to", "was dropped by its record, but no entry")(
        books, sid
    )
    assert_told([must_tell], books.found())


def test_calls_that_were_told_otherwise_than_the_ledger_decided(books: Books) -> None:
    told = {number: CallId(ACCOUNT_SID, f"CA{number:032x}") for number in range(len(Decision) * 2)}
    for number, known in told.items():
        if number % 2:
            books.ledger.calls.admit_call(books.account_id, known, NUMBER)
        decision = list(Decision)[number // 2]
        books.ledger.calls.admit_offline(books.account_id, known, NUMBER, decision)
        assert books.found() == []
        books.ledger.calls.settle_call(
            books.account_id, known, NUMBER, CallEnd.COMPLETED, duration_s=9, debit_unknown=False
        )
    assert books.found() == []
