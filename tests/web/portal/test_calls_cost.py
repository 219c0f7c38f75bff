"""What a page of calls costs does not grow with their number; counted as in test_billing_cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from gatekeeper.domain.call import Direction
from gatekeeper.domain.phrasing import zone_of
from gatekeeper.history.engine import open_history
from gatekeeper.history.migrations import migrate
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.call_choice import read_choice
from gatekeeper.web.portal.calls_view import CallList, read_calls
from tests.history.test_cost import END_MS, FEW, MANY, RATIO_MAX, steps, year
from tests.history.written import ACCOUNT, NUMBER, OTHER, write
from tests.web.portal.billing_desk import an_account


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An account with few calls and one with many."""
    engine = open_history(f"sqlite:///{tmp_path_factory.mktemp('cost') / 'history.sqlite'}")
    migrate(engine)
    write(engine, year(ACCOUNT, FEW), first=1000)
    write(engine, year(OTHER, MANY), first=1000 + FEW)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(
    "fields",
    [{}, {"number": NUMBER}, {"outcome": "conversation"}, {"reason": "allotment"}],
    ids=["all", "number", "outcome", "reason"],
)
def test_a_page_costs_the_same_with_many_calls(
    years: Engine, ledger: Ledger, fields: dict[str, str], direction: Direction
) -> None:
    """All of them came in: those that went out, and are none, are as soon found."""
    choice = read_choice(fields, zone_of("Europe/Berlin"), direction)
    full = direction is Direction.INBOUND

    def ask(engine: Engine, account_id: str) -> CallList:
        account = an_account(id=account_id)
        shown = read_calls(engine, ledger, account, choice, after=None, now_ms=END_MS)
        assert (len(shown.lines), shown.older is not None) == (50 if full else 0, full)
        return shown

    few, many = steps(years, ask, ACCOUNT), steps(years, ask, OTHER)
    assert few > 0
    assert many <= RATIO_MAX * few, (few, many)
