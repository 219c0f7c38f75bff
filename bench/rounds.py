"""Rounds: everything that is compared is measured in turn, again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Progress = Callable[[str], None]


class InvalidRound(Exception):
    """Figures that mean nothing. The message says why."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: so many rounds, and so many seconds for each part of each."""

    rounds: int
    seconds: float
