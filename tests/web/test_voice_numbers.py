"""Numbers that change hands: a call stays with the account that it began with."""

from __future__ import annotations

import pytest

from tests.web.gate import NUMBER, Gate, new_call


def hand_over(gate: Gate, able: str, baker: str) -> None:
    ledger = gate.ledger()
    ledger.numbers.release_number(NUMBER, able)
    ledger.numbers.assign_number(NUMBER, baker, '{"kind":"redirect","target":"https://b.example"}')


@pytest.fixture
def accounts(gate: Gate) -> tuple[str, str]:
    """Able has the number; Baker has another one."""
    return gate.open_account(5), gate.open_account(5, "+15550002222")


def balances(gate: Gate, accounts: tuple[str, str]) -> tuple[int, int]:
    return gate.balance(accounts[0]), gate.balance(accounts[1])


def test_a_repeat_after_the_change_is_still_the_first_accounts(
    gate: Gate, accounts: tuple[str, str]
) -> None:
    call = new_call()
    first = gate.incoming(call)
    hand_over(gate, *accounts)
    other_process = Gate(gate.redis_url)
    repeat = other_process.fallback(call)
    assert repeat.text == first.text  # by Able's route, not by the one the number has now
    assert balances(gate, accounts) == (4, 5)


@pytest.mark.parametrize(("end", "left"), [("completed", 4), ("no-answer", 5)])
def test_the_end_after_the_change_settles_with_the_first_account(
    gate: Gate, accounts: tuple[str, str], end: str, left: int
) -> None:
    call = new_call()
    gate.incoming(call)
    hand_over(gate, *accounts)
    gate.status(call, end)
    assert balances(gate, accounts) == (left, 5)


def test_the_end_after_the_release_settles_too(gate: Gate, accounts: tuple[str, str]) -> None:
    call = new_call()
    gate.incoming(call)
    gate.ledger().numbers.release_number(NUMBER, accounts[0])
    assert Gate(gate.redis_url).incoming(call).answered
    gate.status(call, "no-answer")
    assert balances(gate, accounts) == (5, 5)


def test_a_new_call_is_the_new_accounts(gate: Gate, accounts: tuple[str, str]) -> None:
    hand_over(gate, *accounts)
    call = new_call()
    assert gate.incoming(call).redirect == "https://b.example"
    gate.status(call)
    assert balances(gate, accounts) == (5, 4)


def test_a_number_that_comes_back_is_its_accounts_again(
    gate: Gate, accounts: tuple[str, str]
) -> None:
    ledger = gate.ledger()
    ledger.numbers.release_number(NUMBER, accounts[0])
    ledger.numbers.assign_number(NUMBER, accounts[0])
    assert gate.incoming(new_call()).answered
    assert balances(gate, accounts) == (4, 5)


def test_a_call_from_before_the_change_is_not_charged_to_the_new_account(
    gate: Gate, accounts: tuple[str, str]
) -> None:
    """The ledger never saw it: someone else answered it, or this gate for Able."""
    hand_over(gate, *accounts)
    gate.status(new_call(), duration="600")
    assert balances(gate, accounts) == (5, 5)
