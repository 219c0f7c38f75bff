"""Three processes, a ledger that fails again and again, and every call costs what it must."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from structlog.typing import EventDict

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until
from tests.web.faults import FAULTS
from tests.web.gate import Gate, new_call

CREDITS = 1000
CALLS = 150


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path_factory.mktemp("storm")) as valkey:
        yield valkey


def fail_again_and_again(server: EmbeddedValkey, done: Event) -> None:
    for fault in itertools.cycle(FAULTS):
        if done.wait(0.1):
            return
        with fault.strikes(server):
            done.wait(0.15)


@pytest.mark.parametrize("policy", ["answer", "drop"])
def test_every_call_costs_what_was_told(
    server: EmbeddedValkey, logged: list[EventDict], policy: str
) -> None:
    gates = [Gate(server.url, ledger_down_policy=policy) for _ in range(3)]
    able = gates[0].open_account(CREDITS)
    chance = random.Random(7)
    plan = [
        (new_call(), chance.sample(gates, 3), chance.choice(["completed", "completed", "busy"]))
        for _ in range(CALLS)
    ]
    done = Event()

    def one_call(call: str, processes: list[Gate], end: str) -> int:
        answered = processes[0].incoming(call).answered
        assert processes[0].fallback(call).answered == answered
        processes[1].status(call, end)
        processes[2].status(call, end)
        return int(answered and end == "completed")

    with ThreadPoolExecutor(9) as pool:
        storm = pool.submit(fail_again_and_again, server, done)
        costs = list(pool.map(one_call, *zip(*plan, strict=True)))
        done.set()
        storm.result()
    wait_until(lambda: all(unrecorded(gate) == 0 for gate in gates))
    reasons = {line["reason"] for line in logged if line["event"] == "call_decided"}
    assert reasons == {"allotment", "ledger_unreachable"}
    assert CREDITS - gates[0].balance(able) == sum(costs)
    debits = dict.fromkeys((call for call, _, _ in plan), 0)
    for entry in gates[0].entries(able):
        if entry.ref in debits:
            debits[entry.ref] -= entry.allotment_delta + entry.purchased_delta
    assert list(debits.values()) == costs


def unrecorded(gate: Gate) -> int:
    page = gate.client.get("/readyz").get_json()
    return int(page["checks"]["ledger"]["unrecorded_calls"]) + (not page["ready"])
