"""The scripts on a real server against the plain-Python model, over random histories."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    run_state_machine_as_test,
)

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.ledger.machine_calls import CallRules
from tests.ledger.machine_cycles import CycleRules
from tests.ledger.machine_topoffs import TopoffRules


class LedgerMachine(CallRules, TopoffRules, CycleRules):
    """Every verb of the ledger, in any order."""


@pytest.mark.parametrize("shards", [1, 16])
def test_scripts_agree_with_the_model(valkey: EmbeddedValkey, shards: int) -> None:
    machine = type("Machine", (LedgerMachine,), {"server": valkey, "shards": shards})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100,
            stateful_step_count=60,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
