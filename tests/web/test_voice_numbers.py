"""Numbers that change hands: a call stays with the account that it began with."""

from __future__ import annotations

import pytest

from gatekeeper.ledger.numbers import HANDOVER_S
from gatekeeper.ledger.store import wall_clock_ms
from tests.web.gate import NUMBER, Gate, days_ago, new_call


def hand_over(gate: Gate, able: str, baker: str) -> None:
    """Release the number, and assign it once it has rested."""
    gate.ledger(days_ago((HANDOVER_S + 1) / 86_400)).numbers.release_number(NUMBER, able)
    gate.ledger().numbers.assign_number(
        NUMBER, baker, '{"kind":"redirect","target":"https://b.example"}'
    )


@pytest.fixture(params=[1, 16], ids=["1-shard", "16-shards"])
def gate(gate: Gate, request: pytest.FixtureRequest) -> Gate:
    return Gate(gate.redis_url, shards=request.param)


@pytest.fixture
def accounts(gate: Gate) -> tuple[str, str]:
    """Able has the number; Baker has another one."""
    return gate.open_account(5), gate.open_account(5, "+15550002222")


def another_process(gate: Gate) -> Gate:
    return Gate(gate.redis_url, shards=gate.parts.settings.shards)


def balances(gate: Gate, accounts: tuple[str, str]) -> tuple[int, int]:
    return gate.balance(accounts[0]), gate.balance(accounts[1])


def test_a_repeat_after_the_change_is_still_the_first_accounts(
    gate: Gate, accounts: tuple[str, str]
) -> None:
    call = new_call()
    first = gate.incoming(call)
    hand_over(gate, *accounts)
    other_process = another_process(gate)
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
    assert another_process(gate).incoming(call).answered
    gate.status(call, "no-answer")
    assert balances(gate, accounts) == (5, 5)


@pytest.mark.parametrize(("end", "left"), [("completed", 4), ("no-answer", 5)])
def test_a_new_call_is_the_new_accounts(
    gate: Gate, accounts: tuple[str, str], end: str, left: int
) -> None:
    hand_over(gate, *accounts)
    call = new_call()
    assert gate.incoming(call).redirect == "https://b.example"
    assert gate.incoming(call).redirect == "https://b.example"
    gate.status(call, end)
    assert balances(gate, accounts) == (5, left)


def test_the_end_settles_with_the_new_account_though_the_old_one_is_remembered(
    gate: Gate, accounts: tuple[str, str]
) -> None:
    gate.incoming(new_call())
    hand_over(gate, *accounts)
    call = new_call()
    another_process(gate).incoming(call)
    assert balances(gate, accounts) == (4, 4)
    gate.status(call, "no-answer")
    assert balances(gate, accounts) == (4, 5)


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
    now_ms = wall_clock_ms()
    gate.ledger().outages.note(now_ms - 86_400_000, now_ms)  # so the number alone decides
    hand_over(gate, *accounts)
    gate.status(new_call(), duration="600")
    assert balances(gate, accounts) == (5, 5)
