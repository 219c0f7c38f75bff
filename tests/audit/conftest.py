"""Ledgers in real time, and history on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from gatekeeper.ledger.ledger import Ledger
from tests.audit.books import Books
from tests.cli.conftest import open_account
from tests.history.conftest import database_url, engine, postgres, running_ledger

__all__ = ["database_url", "engine", "postgres", "running_ledger"]


@pytest.fixture
def books(running_ledger: Ledger, engine: Engine) -> Books:
    """Some accounts to which everything has happened; nothing is in SQL yet."""
    found = Books(running_ledger, engine, open_account(running_ledger, allotment=3))
    for account_id in (
        found.account_id,
        *(open_account(running_ledger, allotment=3) for _ in "ab"),
    ):
        found.live(account_id)
    return found
