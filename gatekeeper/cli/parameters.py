"""Values that several commands take."""

from __future__ import annotations

from typing import Any, Final

import click

from gatekeeper.domain.account import MAX_CREDITS

account_argument = click.argument("account_id", metavar="ID")

CREDITS: Final = click.IntRange(1, MAX_CREDITS)
#: Written for a number, to go back to what holds without one.
DEFAULT: Final = "default"


class NumberOrDefault(click.ParamType[int | str]):
    """A whole number from `least` to `most`, or the word `default`."""

    name = "number|default"

    def __init__(self, least: int, most: int) -> None:
        self._range = click.IntRange(least, most)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """Read the value; fails as click's own types do."""
        if value == DEFAULT:
            return DEFAULT
        return self._range.convert(value, param, ctx)
