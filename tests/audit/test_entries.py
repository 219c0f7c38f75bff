"""Entries in the log and in SQL: each that is missing, changed or made up is named."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest
from redis import Redis

from gatekeeper.audit import audit_ledger
from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.domain.entry import Entry, EntryType
from tests.audit.books import Books, assert_told
from tests.cli.conftest import ACCOUNT_SID
from tests.cli.stories import NUMBER, call

SID = "CA" + 32 * "7"
#: Changes the books, and returns what the audit's lines must say.
Corrupt = Callable[[Books, Entry], list[str]]


def test_it_agrees_before_history_was_ever_copied(books: Books) -> None:
    assert books.found() == []
    assert audit_ledger(books.ledger) == []


def test_it_agrees_when_all_is_in_both(books: Books) -> None:
    books.copy()
    assert books.found() == []


def test_it_agrees_when_the_log_was_trimmed_and_went_on(books: Books) -> None:
    books.copy()
    books.trim()
    assert books.found() == []
    for end in (CallEnd.COMPLETED, CallEnd.BUSY):
        call(books.ledger, books.account_id, end)
    assert books.found() == []
    books.copy()
    assert books.found() == []


def test_an_entry_of_a_type_that_this_version_does_not_know(books: Books) -> None:
    (entry,) = books.entries(EntryType.CREDITS_ADDED)
    books.change_in_log(entry, type="a_gift_from_the_future")
    assert books.found() == []


def _changed_in_sql(books: Books, entry: Entry) -> list[str]:
    books.change_in_sql(entry, cause="another")
    return [f"entry {entry.id} has cause 'welcome' in the log and 'another' in SQL"]


def _changed_in_log(books: Books, entry: Entry) -> list[str]:
    books.change_in_log(entry, cause="another")
    return [f"entry {entry.id} has cause 'another' in the log and 'welcome' in SQL"]


def _another_delta_in_sql(books: Books, entry: Entry) -> list[str]:
    books.change_in_sql(entry, purchased_delta=6)
    return [
        f"entry {entry.id} leaves 3 + 5 credits, but the entries up to it sum to 3 + 6",
        f"entry {entry.id} has purchased_delta 5 in the log and 6 in SQL",
    ]


def _deleted_in_sql(books: Books, entry: Entry) -> list[str]:
    books.delete_in_sql(entry)
    return [f"entry {entry.id} is in the log, but not in SQL", f"shard {books.shard}: SQL has "]


def _deleted_in_log(books: Books, entry: Entry) -> list[str]:
    books.delete_in_log(entry)
    return [f"entry {entry.id} is in SQL, but not in the log, which still goes back to it"]


def _the_last_deleted_in_sql(books: Books, _: Entry) -> list[str]:
    gone = list(books.ledger.log.entries(books.account_id))[-2:]
    for entry in gone:
        books.delete_in_sql(entry)
    told = f"2 entries from {gone[0].id} to {gone[1].id} each is in the log, but not in SQL"
    return [told, f"shard {books.shard}: SQL has "]


def _doubled_in_sql(books: Books, _: Entry) -> list[str]:
    entry = books.entries(EntryType.TOPOFF_FAILED)[-1]
    again = f"{entry_position(entry.id)[0]}-1"
    books.add_in_sql(entry, id=again)
    return [
        f"entry {again} is in SQL, but not in the log, which still goes back to it",
        f"shard {books.shard}: SQL has ",
    ]


def _behind_the_position(books: Books, _: Entry) -> list[str]:
    last = list(books.ledger.log.entries(books.account_id))[-1]
    failed = books.entries(EntryType.TOPOFF_FAILED)[-1]
    after = f"{entry_position(last.id)[0] + 1_000_000}-0"
    books.add_in_sql(failed, id=after, allotment=last.allotment, purchased=last.purchased)
    return [
        f"entry {after} is in SQL, but its log has not been copied so far",
        f"shard {books.shard}: SQL has ",
    ]


@pytest.mark.parametrize(
    "corrupt",
    [
        _changed_in_sql,
        _changed_in_log,
        _another_delta_in_sql,
        _deleted_in_sql,
        _deleted_in_log,
        _the_last_deleted_in_sql,
        _doubled_in_sql,
        _behind_the_position,
    ],
)
def test_it_names_what_the_stores_do_not_agree_on(books: Books, corrupt: Corrupt) -> None:
    books.move_log_back(ms=60_000)
    (entry,) = books.entries(EntryType.CREDITS_ADDED)
    books.copy()
    must_tell = corrupt(books, entry)
    assert_told(must_tell, books.found())


def _delta_of_a_trimmed_entry(books: Books, entry: Entry) -> list[str]:
    books.change_in_sql(entry, purchased_delta=6)
    return [f"entry {entry.id} leaves 3 + 5 credits, but the entries up to it sum to 3 + 6"]


def _a_trimmed_entry(books: Books, entry: Entry) -> list[str]:
    books.delete_in_sql(entry)
    return [" but the entries up to it sum to ", f"shard {books.shard}: SQL has "]


@pytest.mark.parametrize("corrupt", [_delta_of_a_trimmed_entry, _a_trimmed_entry])
def test_it_names_what_cannot_be_in_sql_alone(books: Books, corrupt: Corrupt) -> None:
    (entry,) = books.entries(EntryType.CREDITS_ADDED)
    books.copy()
    books.trim()
    must_tell = corrupt(books, entry)
    assert_told(must_tell, books.found())


def test_a_lost_entry_that_changed_no_balance(books: Books) -> None:
    entry = books.entries(EntryType.ACCOUNT_CHANGED)[-1]
    books.copy()
    books.trim()
    books.delete_in_sql(entry)
    assert_told([f"shard {books.shard}: SQL has "], books.found())


def test_the_beginning_of_an_account(books: Books) -> None:
    first, second, *_ = books.ledger.log.entries(books.account_id)
    books.copy()
    books.trim()
    books.delete_in_sql(first)
    must_tell = [
        f"entry {second.id} leaves 3 + 0 credits, but the entries up to it sum to 0 + 0",
        f"entry {second.id} ({second.type}) is the first: what opened the account is missing",
        "the ledger is in cycle 1, but the entries begin 0",
        "the ledger has granted 3 credits in this period, but the entries 0",
        f"shard {books.shard}: SQL has ",
    ]
    assert_told(must_tell, books.found())


def test_a_log_that_was_trimmed_too_far(books: Books) -> None:
    books.copy()
    sid = call(books.ledger, books.account_id, None)
    books.trim()
    must_tell = [
        "the ledger has ",
        f"call {sid} was debited by its record, but no entry says so",
        f"shard {books.shard}: the log has 0 entries behind ",
    ]
    assert_told(must_tell, books.found())


def test_a_log_that_was_trimmed_too_far_and_went_on(books: Books) -> None:
    books.copy()
    sid = call(books.ledger, books.account_id, None)
    books.trim()
    call(books.ledger, books.account_id, None)
    *_, last = books.ledger.log.entries(books.account_id)
    must_tell = [
        f"entry {last.id} leaves ",
        f"call {sid} was debited by its record, but no entry says so",
        f"shard {books.shard}: the log has 1 entries behind ",
    ]
    assert_told(must_tell, books.found())
    books.copy()
    must_tell[-1] = f"shard {books.shard}: SQL has "
    assert_told(must_tell, books.found())


def test_an_entry_that_was_deleted_before_it_was_copied(books: Books) -> None:
    books.copy()
    books.ledger.calls.admit_call(books.account_id, CallId(ACCOUNT_SID, SID), NUMBER)
    *_, debit = books.ledger.log.entries(books.account_id)
    books.delete_in_log(debit)
    must_tell = [
        "the ledger has ",
        f"call {SID} was debited by its record, but no entry says so",
        f"shard {books.shard}: the log has 0 entries behind ",
    ]
    assert_told(must_tell, books.found())


def test_a_ledger_that_was_restored_from_an_older_backup(books: Books) -> None:
    at = books.ledger.client.connection_pool.connection_kwargs
    with closing(Redis(host=at["host"], port=at["port"], protocol=2)) as raw:
        backup = {key: raw.dump(key) or b"" for key in raw.scan_iter()}
        call(books.ledger, books.account_id)
        books.copy()
        raw.flushall()
        for key, dumped in backup.items():
            raw.restore(key, 0, dumped)
    assert_told([f"shard {books.shard}: SQL goes on to "], books.found())
    call(books.ledger, books.account_id)
    assert any("each is in SQL, but not in the log" in what for what in books.found())


@pytest.mark.parametrize("is_copied", [False, True])
def test_a_balance_that_was_edited(books: Books, *, is_copied: bool) -> None:
    if is_copied:
        books.copy()
        books.trim()
    books.set_account(allotment="0", purchased="7")
    assert_told(["the ledger has 0 + 7 credits"], books.found())


def test_an_entry_that_cannot_be_read(books: Books) -> None:
    (entry,) = books.entries(EntryType.CREDITS_ADDED)
    books.change_in_log(entry, purchased_delta="many")
    must_tell = [f"entry {entry.id} of the log cannot be read", "but the entries up to it sum to"]
    assert_told(must_tell, books.found())


def test_an_entry_that_is_of_nobody(books: Books) -> None:
    books.ledger.client.xadd(books.log, {"type": "call_settled"})
    (found,) = audit_ledger(books.ledger, books.engine)
    assert found.account_id == ""
    assert "of the log cannot be read" in found.what


def test_an_account_that_history_alone_knows(books: Books) -> None:
    books.copy()
    books.trim()
    own = books.ledger.keys.of_account(books.account_id)
    books.ledger.client.srem(books.ledger.keys.accounts(books.shard), books.account_id)
    books.ledger.client.delete(own.account)
    found = [(one.account_id, one.what) for one in audit_ledger(books.ledger, books.engine)]
    assert found == [(books.account_id, "has entries, but there is no such account")]
