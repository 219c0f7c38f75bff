"""Accounts that the log does not tell of are listed as the ledger has them."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import Engine, update

from gatekeeper.domain.account import NewAccount, TopoffSettings, new_account_id
from gatekeeper.history.directory import accounts_page, incident_candidates
from gatekeeper.history.engine import writing
from gatekeeper.history.tables import accounts
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay import directory
from gatekeeper.relay.directory import list_missing_accounts
from gatekeeper.relay.history import HistoryCopy
from tests.history.copies import make_calls, open_accounts
from tests.ledger.desk import Desk


def listing(engine: Engine) -> list[tuple[object, ...]]:
    """All that the directory has, but for where in the log it was told."""
    columns = [column for column in accounts.c if column.name != "places"]
    with engine.connect() as connection:
        rows = connection.execute(accounts.select().with_only_columns(*columns))
        return sorted(tuple(row) for row in rows)


def _forget(engine: Engine, *account_ids: str) -> None:
    with writing(engine) as connection:
        wanted = accounts.c.account_id.in_(account_ids)
        connection.execute(accounts.delete().where(wanted))


def _busy_accounts(ledger: Ledger) -> list[str]:
    """Some accounts in use: with calls, suspended, with an incident."""
    ids = open_accounts(ledger, 7)
    make_calls(ledger, ids[:4], range(20))
    ledger.accounts.update_account(ids[1], suspended="1")
    ledger.accounts.update_account(ids[2], name="Renamed", email="new@example.com")
    failing = Desk(ledger)
    failing.open().topoff().card()
    failing.failed_topoff(failing.decline)
    return [*ids, failing.id]


def test_what_is_missing_is_listed_as_its_entries_would_have_it(
    running_ledger: Ledger, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_PAGE", 3)
    ids = _busy_accounts(running_ledger)
    HistoryCopy(running_ledger, engine).copy_all()
    by_entries = listing(engine)
    assert len(by_entries) == len(ids) == 8
    _forget(engine, *ids)
    list_missing_accounts(running_ledger, engine, threading.Event())
    assert listing(engine) == by_entries
    assert [one.account_id for one in incident_candidates(engine).items] == [ids[-1]]


def test_entries_copied_afterwards_change_what_is_listed(
    running_ledger: Ledger, engine: Engine
) -> None:
    """The accounts are read before a line of their log was copied: it adds what it should."""
    ids = _busy_accounts(running_ledger)
    list_missing_accounts(running_ledger, engine, threading.Event())
    before = {one.account_id: one for one in accounts_page(engine).items}
    assert before[ids[1]].suspended
    running_ledger.accounts.update_account(ids[1], suspended="")
    running_ledger.accounts.set_topoff(ids[-1], TopoffSettings(False, 5, 20))
    make_calls(running_ledger, ids[:1], range(100, 103))
    HistoryCopy(running_ledger, engine).copy_all()
    after = {one.account_id: one for one in accounts_page(engine).items}
    assert not after[ids[1]].suspended
    assert after[ids[0]].balance == before[ids[0]].balance - 3
    assert after[ids[0]].last_call_at_ms > 0
    assert after[ids[2]].name == "Renamed"
    assert incident_candidates(engine).items == []


def test_names_that_no_entry_told_are_read_by_the_next_relay(
    running_ledger: Ledger, engine: Engine
) -> None:
    """As those of accounts that a version before opened."""
    [account_id] = open_accounts(running_ledger, 1)
    copy = HistoryCopy(running_ledger, engine)
    copy.copy_all()
    with writing(engine) as connection:
        connection.execute(update(accounts).values(name="", name_key="", email=""))
    copy.copy_all()
    assert accounts_page(engine).items[0].name == ""
    HistoryCopy(running_ledger, engine).copy_all()
    [listed] = accounts_page(engine).items
    assert (listed.account_id, listed.name, listed.email) == (
        *(account_id, "Able", "able@example.com"),
    )


def test_who_is_told_to_stop_goes_on_the_next_time(running_ledger: Ledger, engine: Engine) -> None:
    open_accounts(running_ledger, 2)
    stop = threading.Event()
    stop.set()
    list_missing_accounts(running_ledger, engine, stop)
    assert accounts_page(engine).items == []


def test_an_account_of_a_ledger_without_a_log_is_listed(
    running_ledger: Ledger, engine: Engine
) -> None:
    """As after a ledger was restored without its log."""
    new = NewAccount(new_account_id(), "Able", "able@example.com")
    running_ledger.accounts.open_account(new)
    running_ledger.client.delete(running_ledger.keys.of_account(new.id).log)
    HistoryCopy(running_ledger, engine).copy_all()
    assert [one.name for one in accounts_page(engine).items] == ["Able"]
