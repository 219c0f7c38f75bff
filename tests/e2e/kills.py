"""Killing workers at steps of a charge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from tests.e2e.stage import Stage
from tests.e2e.steps import HeldStep, Step

#: How Stripe's webhooks come.
WEBHOOKS: Final[dict[str, dict[str, Any]]] = {
    "never": {"mode": "drop"},
    "twice": {"copies": 2},
    "late": {"mode": "hold"},  # once everything is over, the newest first
    "first": {"first": True},  # before Stripe answers the worker
}


def each(steps: Sequence[Step]) -> pytest.MarkDecorator:
    """Run a test at each of the steps."""
    return pytest.mark.parametrize("step", steps, ids=str)


def kill_at(stage: Stage, step: Step) -> None:
    """Wait until a worker comes to the step, and kill it and its child there."""
    held = hold_at(stage, step)
    stage.charges.kill_busy()
    held.end()


def hold_at(stage: Stage, step: Step) -> HeldStep:
    """Wait until a worker comes to the step, and hold it there."""
    held = step.arm(stage)
    stage.until(f"a worker is held {step}", held.is_held)
    return held
