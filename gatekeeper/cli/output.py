"""What commands print: one JSON document with `--json`, else something for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table

Document = Mapping[str, Any]

#: Where nobody's terminal sets the width, lines are as long as they are, for grep.
_PIPE_WIDTH = 400

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)


def show(document: Document, for_people: RenderableType, *, as_json: bool) -> None:
    """Print a command's answer on standard output, in the one form or the other."""
    if as_json:
        show_json(document)
    elif isinstance(for_people, str):
        click.echo(for_people)
    else:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        # No markup, no emoji: text is shown as it is, for customers chose some of it.
        Console(markup=False, emoji=False, highlight=False, width=width).print(for_people)


def show_json(document: Document) -> None:
    """Print a command's answer for machines."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def facts(rows: Mapping[str, object]) -> Table:
    """Lay out names and values, one a line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        grid.add_row(name, str(value))
    return grid


def table(
    names: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()
) -> str:
    """Write rows under their columns' names; those named in `right` hold numbers.

    Rich's own table takes a millisecond a row, and lists here have thousands.
    """
    lines = [names, *rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]

    def align(line: Sequence[str]) -> str:
        cells = []
        for name, width, text in zip(names, widths, line, strict=True):
            padding = " " * (width - cell_len(text))
            cells.append(padding + text if name in right else text + padding)
        return "  ".join(cells).rstrip()

    return "\n".join(map(align, lines))


def utc(at_ms: int) -> str:
    """Write a time of the ledger's clock (ms since the epoch) as ISO 8601 in UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
