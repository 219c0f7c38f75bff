"""Calls: what was debited, what the ledger keeps of them, and what SQL has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import update

from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.entry import EntryType
from gatekeeper.history.tables import ALL_NUMBERS, calls, meter_readings
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
    its_own = (
        meter_readings.c.account_id == books.account_id,
        meter_readings.c.number == ALL_NUMBERS,
    )
    more = meter_readings.c.dropped + 3
    books.sql(update(meter_readings).where(*its_own).values(dropped=more))
    return [f"the meter of all its numbers shows {_calls(books) + 3} calls"]


@pytest.mark.parametrize(
    "corrupt",
    [
        _doubled_debit,
        _changed_record("p", "a", "was debited by its record, but its entry explains it otherwise"),
        _changed_record("k", "r", "has ended by its record, but no entry says so (call_released)"),
        _changed_record("1", "0", "was answered and completed by its record, but no credit was"),
        _changed_record("k", "?", "has a record that cannot be read"),
        _changed_in_sql("debits 2 in SQL and 1 by its entries", debits=2),
        _changed_in_sql("released True in SQL and False by its entries", released=True),
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
