"""A page is stored by whoever finds the position where it was read, and by nobody else."""

from __future__ import annotations

from sqlalchemy import Engine

from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.queries import entries_page
from gatekeeper.history.store import LOG_START, Position, read_positions, record
from tests.history.written import ACCOUNT

FIRST, SECOND, OTHER = Position(1, 0, 1), Position(2, 0, 2), Position(3, 0, 3)


def _entry(entry_id: str) -> Entry:
    return Entry(
        id=entry_id,
        at_ms=1,
        account_id=ACCOUNT,
        type=EntryType.CREDITS_ADDED,
        allotment_delta=0,
        purchased_delta=1,
        allotment=0,
        purchased=1,
        ref="a",
        cause="test",
        number="",
        detail="",
    )


def _stored(engine: Engine) -> list[str]:
    return [entry.id for entry in entries_page(engine, ACCOUNT).items]


def test_a_page_that_was_read_elsewhere_is_not_stored(engine: Engine) -> None:
    assert record(engine, 0, [_entry("1-0")], before=LOG_START, after=FIRST)
    for stale in (LOG_START, SECOND):
        assert not record(engine, 0, [_entry("2-0")], before=stale, after=OTHER)
        assert (_stored(engine), read_positions(engine)) == (["1-0"], {0: FIRST})
    assert record(engine, 0, [_entry("2-0")], before=FIRST, after=SECOND)
    assert (_stored(engine), read_positions(engine)) == (["2-0", "1-0"], {0: SECOND})


def test_entries_that_are_there_are_not_stored_again(engine: Engine) -> None:
    assert record(engine, 0, [_entry("1-0")], before=LOG_START, after=FIRST)
    page = [_entry("1-0"), _entry("2-0")]
    assert record(engine, 0, page, before=FIRST, after=SECOND)
    assert _stored(engine) == ["2-0", "1-0"]
