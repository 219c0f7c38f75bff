from __future__ import annotations

import pytest

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.ledger.errors import LedgerRefusal, NumberResting, NumberTaken, UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.numbers import HANDOVER_S
from tests.conftest import MovableClock

NUMBER = "+15550001111"


def _open(ledger: Ledger) -> str:
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "a@example.com"))
    return account_id


def test_a_number_belongs_to_one_account(ledger: Ledger) -> None:
    able, baker = _open(ledger), _open(ledger)
    assert ledger.numbers.find(NUMBER) is None
    assert ledger.numbers.assign_number(NUMBER, able, "route")
    assert not ledger.numbers.assign_number(NUMBER, able, "route")
    with pytest.raises(NumberTaken, match=able):
        ledger.numbers.assign_number(NUMBER, baker)
    with pytest.raises(LedgerRefusal, match="does not belong"):
        ledger.numbers.release_number(NUMBER, baker)
    assert list(ledger.numbers.of_account(able)) == [NUMBER]
    assert ledger.numbers.of_account(baker) == {}


def test_a_number_that_changes_hands_remembers_whose_it_was(
    ledger: Ledger, clock: MovableClock
) -> None:
    able, baker = _open(ledger), _open(ledger)
    ledger.numbers.assign_number(NUMBER, able)
    ledger.numbers.release_number(NUMBER, able)
    assert ledger.numbers.of_account(able) == {}
    clock.advance(s=60)
    ledger.numbers.assign_number(NUMBER, baker)
    record = ledger.numbers.find(NUMBER)
    assert record is not None
    assert (record.account_id, record.previous, record.changed_at_ms) == (baker, able, clock())


def test_another_route_is_no_change_of_hands(ledger: Ledger, clock: MovableClock) -> None:
    able = _open(ledger)
    ledger.numbers.assign_number(NUMBER, able, "route")
    assigned_at_ms = clock()
    clock.advance(s=60)
    assert ledger.numbers.assign_number(NUMBER, able, "another route")
    record = ledger.numbers.find(NUMBER)
    assert record is not None
    assert (record.route, record.changed_at_ms) == ("another route", assigned_at_ms)
    assert (record.account_id, record.previous) == (able, "")


def test_a_released_number_rests_before_another_account_gets_it(
    ledger: Ledger, clock: MovableClock
) -> None:
    able, baker = _open(ledger), _open(ledger)
    ledger.numbers.assign_number(NUMBER, able)
    ledger.numbers.release_number(NUMBER, able)
    with pytest.raises(NumberResting, match="15 s"):
        ledger.numbers.assign_number(NUMBER, baker)
    assert ledger.numbers.assign_number(NUMBER, able)
    ledger.numbers.release_number(NUMBER, able)
    clock.advance(s=HANDOVER_S)
    assert ledger.numbers.assign_number(NUMBER, baker)


def test_a_number_is_not_given_to_an_account_that_is_not_there(ledger: Ledger) -> None:
    with pytest.raises(UnknownAccount):
        ledger.numbers.assign_number(NUMBER, new_account_id())
    assert ledger.numbers.find(NUMBER) is None
