"""The directory: every account is in it, found by name and address, and told as the log has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from sqlalchemy import Engine, event, select, text

from gatekeeper.domain.call import CallEnd, Reason
from gatekeeper.domain.change import Change, write_detail
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.directory import (
    Listed,
    Order,
    accounts_page,
    enlist,
    incident_candidates,
    missing_from_directory,
    search_accounts,
)
from gatekeeper.history.drops import drops_since
from gatekeeper.history.engine import open_history, reading, writing
from gatekeeper.history.listing import Listing
from gatekeeper.history.migrations import migrate
from gatekeeper.history.queries import Page
from gatekeeper.history.store import LOG_START, record
from gatekeeper.history.tables import accounts
from tests.history.test_cost import FEW, MANY, RATIO_MAX, steps, year
from tests.history.written import ACCOUNT, OTHER, ms, write

NOON_MS = ms("2026-03-01T12:00")
#: Steps of SQLite that a search takes for each account that it passes over.
STEPS_AN_ACCOUNT = 40


def told(
    place: int,
    type_: EntryType = EntryType.CREDITS_ADDED,
    account_id: str = ACCOUNT,
    *,
    cause: str = "",
    ref: str = "",
    detail: str = "",
    balance: int = 0,
) -> Entry:
    return Entry(
        id=f"{place + 1}-3",
        at_ms=NOON_MS + place,
        account_id=account_id,
        type=type_,
        allotment_delta=0,
        purchased_delta=0,
        allotment=2 * balance,
        purchased=-balance,
        ref=ref,
        cause=cause,
        number="",
        detail=detail,
    )


def opened(place: int, account_id: str, name: str, email: str = "a@example.com") -> Entry:
    detail = write_detail("", name=name, email=email, timezone="UTC")
    return told(place, EntryType.ACCOUNT_OPENED, account_id, detail=detail)


def changed(place: int, change: Change, **values: str) -> Entry:
    detail = write_detail("ada", **values)
    return told(place, EntryType.ACCOUNT_CHANGED, cause=change, detail=detail)


def store(engine: Engine, *told: Entry) -> None:
    assert record(engine, 0, told, before=LOG_START, after=LOG_START)


def listed(engine: Engine) -> Listed:
    (one,) = accounts_page(engine).items
    return one


def account(number: int) -> str:
    return f"acct_{number:012d}"


def many(engine: Engine, count: int) -> list[str]:
    """Open so many accounts with names in their order; returns their ids."""
    ids = [account(number) for number in range(count)]
    for begin in range(0, count, 1000):
        page = range(begin, min(begin + 1000, count))
        store(engine, *(opened(n, ids[n], f"Customer {n:06d}", f"{n}@x.example") for n in page))
    return ids


def test_what_entries_tell_of_an_account(engine: Engine) -> None:
    store(engine, opened(1, ACCOUNT, "Able", "able@example.com"))
    store(engine, changed(2, Change.DESCRIBED, name="Able & Co"), changed(3, Change.SUSPENDED))
    [call_sid] = write(engine, year(ACCOUNT, 1), first=100)
    store(engine, told(200, balance=-7))
    assert call_sid
    assert listed(engine) == Listed(
        account_id=ACCOUNT,
        name="Able & Co",
        email="able@example.com",
        last_call_at_ms=ms("2025-06-01T00:00"),
        balance=-7,
        suspended=True,
    )
    store(engine, changed(201, Change.UNSUSPENDED), changed(202, Change.DESCRIBED, email="b@x.de"))
    now = listed(engine)
    assert (now.name, now.email, now.suspended) == ("Able & Co", "b@x.de", False)


@pytest.mark.parametrize("detail", ["", "x", "[]", '{"name":5}', '{"name":"a\\u0000b"}', "null"])
def test_entries_that_tell_no_name_are_an_account_all_the_same(engine: Engine, detail: str) -> None:
    """A version before wrote none; and nothing that cannot be stored may hold up the copy."""
    store(engine, told(1, EntryType.ACCOUNT_OPENED, detail=detail))
    assert listed(engine).account_id == ACCOUNT
    assert listed(engine).name == ""
    assert missing_from_directory(engine, [OTHER, ACCOUNT]) == [ACCOUNT, OTHER]
    store(engine, changed(2, Change.DESCRIBED, name="Able"))
    assert missing_from_directory(engine, [OTHER, ACCOUNT]) == [OTHER]


def test_whatever_comes_late_the_last_of_the_log_counts(engine: Engine) -> None:
    store(engine, changed(9, Change.DESCRIBED, name="New"), told(10, balance=10))
    store(engine, changed(5, Change.SUSPENDED), told(8, balance=8))
    store(engine, opened(1, ACCOUNT, "Old", "old@example.com"), changed(4, Change.UNSUSPENDED))
    now = listed(engine)
    assert (now.name, now.email, now.balance, now.suspended) == ("New", "old@example.com", 10, True)


def test_the_last_call_is_the_last_that_was_decided(engine: Engine) -> None:
    """One that is known by its end alone counts where the directory is filled from the calls."""
    answered, unseen = "CA" + 32 * "1", "CA" + 32 * "2"
    begin = told(1, EntryType.CALL_DROPPED, ref=answered, cause=Reason.ACCOUNT_SUSPENDED)
    ends = [
        told(place, EntryType.CALL_SETTLED, ref=call_sid, cause=CallEnd.BUSY)
        for place, call_sid in ((5, unseen), (9, answered))
    ]
    store(engine, begin)
    store(engine, *ends)
    assert listed(engine).last_call_at_ms == begin.at_ms
    with writing(engine) as connection:
        connection.execute(accounts.delete())
    enlist(engine, 0, [Listing(ACCOUNT)])
    assert listed(engine).last_call_at_ms == ends[0].at_ms


def test_candidates_are_accounts_whose_last_topoff_failed(engine: Engine) -> None:
    failed = [
        told(number, EntryType.TOPOFF_FAILED, account(number), ref=f"incident-{number}")
        for number in range(5)
    ]
    store(engine, opened(10, account(5), "Healthy"), *failed)
    store(engine, told(11, EntryType.INCIDENT_RESOLVED, account(1), ref="incident-1"))
    store(engine, told(12, EntryType.TOPOFF_SUCCEEDED, account(3), ref="incident-3"))
    first = incident_candidates(engine, limit=2)
    assert [one.account_id for one in first.items] == [account(4), account(2)]
    assert first.items[0].since_ms == NOON_MS + 4
    last = incident_candidates(engine, after=first.next, limit=2)
    assert ([one.account_id for one in last.items], last.next) == ([account(0)], None)


@pytest.mark.parametrize("order", Order)
def test_pages_put_together_are_all_accounts(engine: Engine, order: Order) -> None:
    ids = many(engine, 23)
    store(engine, *(told(100 + n, account_id=ids[n], balance=n % 3 - 1) for n in range(0, 23, 2)))
    found: list[Listed] = []
    page = accounts_page(engine, order, limit=5)
    while page.next is not None:
        assert len(page.items) == 5
        found += page.items
        page = accounts_page(engine, order, after=page.next, limit=5)
    found += page.items
    assert sorted(one.account_id for one in found) == ids
    if order is Order.NAME:
        assert [one.account_id for one in found] == ids
    if order is Order.BALANCE:
        assert [one.balance for one in found] == sorted(one.balance for one in found)


def test_a_search_finds_what_was_typed_and_nothing_else(engine: Engine) -> None:
    store(
        engine,
        opened(1, account(1), "100% Smiles_GmbH", "info@straße.example"),
        opened(2, account(2), "Übersee", "ops@example.com"),
    )

    def found(text: str) -> list[str]:
        return [one.account_id for one in search_accounts(engine, text).items]

    for typed in ("100%", "smiles_", "SMILES", "Straße", "%"):
        assert found(typed) == [account(1)], typed
    assert found("übersee") == found("ÜBER") == found("OPS@") == [account(2)]
    assert found("e") == [account(1), account(2)]
    for typed in ("100_", "smiles%gmbh", "/", "'"):
        assert found(typed) == [], typed


def test_a_name_is_found_in_either_spelling_of_a_letter(engine: Engine) -> None:
    """Unicode folds ß to ss; lower case alone does not."""
    store(engine, opened(1, account(1), "Weiße Zähne"), opened(2, account(2), "STRASSE 7"))
    for typed, number in {"WEISSE": 1, "weiße": 1, "Straße": 2, "strasse": 2}.items():
        found = search_accounts(engine, typed).items
        assert [one.account_id for one in found] == [account(number)], typed


def _plan(engine: Engine, ask: Callable[[Engine], object]) -> str:
    statements: list[tuple[str, object]] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2:4]))
    ask(engine)
    sql, parameters = statements[-1]
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with writing(engine) as connection:
        connection.execute(text("ANALYZE"))
        return str(connection.exec_driver_sql(explain + sql, parameters).all())  # type: ignore[arg-type]


def test_lists_are_read_from_their_index(engine: Engine) -> None:
    many(engine, 3000)
    store(engine, told(5000, EntryType.TOPOFF_FAILED, account(7), ref="incident"))
    write(engine, year(ACCOUNT, 300), first=9000)
    for order, index in (
        (Order.NAME, "accounts_by_name"),
        (Order.LAST_CALL, "accounts_by_last_call"),
        (Order.BALANCE, "accounts_by_balance"),
        (Order.OPENED, "accounts_by_opening"),
    ):
        after = accounts_page(engine, order, limit=10).next
        assert index in _plan(engine, partial(accounts_page, order=order, limit=10))
        assert index in _plan(engine, partial(accounts_page, order=order, after=after, limit=10))
    assert "accounts_with_incident" in _plan(engine, incident_candidates)
    assert "calls_dropped" in _plan(engine, lambda on: drops_since(on, ms("2026-05-01T00:00")))


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Engine]:
    """A directory of few accounts and one of many."""
    engines = []
    for count in (200, 5000):
        engine = open_history(f"sqlite:///{tmp_path_factory.mktemp('cost') / 'history.sqlite'}")
        migrate(engine)
        many(engine, count)
        engines.append(engine)
    return engines


@pytest.mark.parametrize("order", Order)
def test_a_page_costs_the_same_with_many_accounts(sizes: Sequence[Engine], order: Order) -> None:
    def ask(engine: Engine, after: str | None) -> Page[Listed]:
        return accounts_page(engine, order, after=after)

    few, many = (
        steps(on, lambda engine, _: ask(engine, ask(engine, None).next), "") for on in sizes
    )
    assert few > 0
    assert many <= RATIO_MAX * few, (few, many)


def test_a_search_in_vain_costs_little_an_account(sizes: Sequence[Engine]) -> None:
    ticks = [steps(on, lambda engine, _: search_accounts(engine, "nobody"), "") for on in sizes]
    assert 10 * (ticks[1] - ticks[0]) <= STEPS_AN_ACCOUNT * 4800, ticks


def test_dropped_calls_cost_as_many_as_there_are_today(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    engines = []
    for count in (FEW, MANY):
        engine = open_history(f"sqlite:///{tmp_path_factory.mktemp('cost') / 'history.sqlite'}")
        migrate(engine)
        write(engine, year(ACCOUNT, count))
        engines.append(engine)
    since_ms = ms("2026-05-31T23:00")
    few, many = (steps(on, lambda engine, _: drops_since(engine, since_ms), "") for on in engines)
    assert few > 0
    assert many <= RATIO_MAX * few, (few, many)
    assert drops_since(engines[0], 0).by_account == [(ACCOUNT, 2)]
    for engine in engines:
        engine.dispose()


def test_an_account_is_one_row_however_many_entries(engine: Engine) -> None:
    write(engine, year(ACCOUNT, 50))
    with reading(engine) as connection:
        assert connection.execute(select(accounts.c.account_id)).scalars().all() == [ACCOUNT]
