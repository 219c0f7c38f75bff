"""What the Billing tab costs does not grow with an account's history.

What it asks of the database is counted in steps of SQLite's virtual machine, as in
tests/history/test_cost.py: the same on every machine, however busy.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gatekeeper.history.engine import open_history
from gatekeeper.history.migrations import migrate
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.billing_view import Past, Standing, read_past
from gatekeeper.web.portal.cycles import Cycle, cycles_of
from tests.history.test_cost import BEGIN_MS, END_MS, FEW, MANY, RATIO_MAX, steps, year
from tests.history.test_statement import line, store
from tests.history.written import ACCOUNT, OTHER, write
from tests.web.portal.billing_desk import an_account

LINES = 60


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An account with few calls and one with many, each with as long a statement."""
    engine = open_history(f"sqlite:///{tmp_path_factory.mktemp('cost') / 'history.sqlite'}")
    migrate(engine)
    write(engine, year(ACCOUNT, FEW), first=1000)
    write(engine, year(OTHER, MANY), first=1000 + FEW)
    for account_id in (ACCOUNT, OTHER):
        store(engine, [line(place, account_id=account_id) for place in range(LINES)])
    yield engine
    engine.dispose()


def standing_of(account_id: str) -> Standing:
    """An account at the end of its year."""
    account = an_account(
        id=account_id,
        timezone="Europe/Berlin",
        created_at_ms=BEGIN_MS,
        anchor_ms=BEGIN_MS,
        cycle_end_ms=None,
    )
    now_ms = END_MS - 1
    return Standing(
        account=account,
        incident=None,
        topoff=None,
        cycle=cycles_of(account, now_ms)[0],
        price_minor=20,
        currency="usd",
        now_ms=now_ms,
    )


def read(engine: Engine, ledger: Ledger, account_id: str, cycle: Cycle | None = None) -> Past:
    standing = standing_of(account_id)
    past = read_past(engine, ledger, standing, cycle or standing.cycle, None)
    assert past is not None
    assert len(past.lines) == 20
    assert past.use.total.calls
    return past


@pytest.mark.parametrize("earlier", [0, 6])
def test_the_tab_costs_the_same_with_many_calls(
    years: Engine, ledger: Ledger, earlier: int
) -> None:
    cycle = cycles_of(standing_of(OTHER).account, END_MS - 1)[earlier]

    def ask(engine: Engine, account_id: str) -> Past:
        return read(engine, ledger, account_id, cycle)

    few, many = steps(years, ask, ACCOUNT), steps(years, ask, OTHER)
    assert few > 0
    assert many <= RATIO_MAX * few, (few, many)


def test_a_whole_year_costs_the_same_too(years: Engine, ledger: Ledger) -> None:
    """As the cycle of an account that pays by the year."""
    whole = Cycle(BEGIN_MS, END_MS)

    def ask(engine: Engine, account_id: str) -> Past:
        return read(engine, ledger, account_id, whole)

    assert len(ask(years, OTHER).use.by_day) == 366
    few, many = steps(years, ask, ACCOUNT), steps(years, ask, OTHER)
    assert many <= RATIO_MAX * few, (few, many)
