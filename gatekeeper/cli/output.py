"""What commands print: one JSON document with `--json`, else something for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.table import Table

Document = Mapping[str, Any]

#: Where nobody's terminal sets the width, lines are as long as they are, for grep.
_PIPE_WIDTH = 400
_GAP = "  "
#: No column is cut to less: an id's both ends can still be told apart.
_LEAST_WIDTH = 10

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print CSV and nothing else.")


def show(document: Document, for_people: RenderableType, *, as_json: bool) -> None:
    """Print a command's answer on standard output, in the one form or the other."""
    if as_json:
        show_json(document)
    elif isinstance(for_people, str):
        click.echo(for_people)
    else:
        width = None if sys.stdout.isatty() else _PIPE_WIDTH
        # No markup, no emoji: text is shown as it is, for customers chose some of it.
        console = Console(markup=False, emoji=False, highlight=False, width=width)
        with console.capture() as drawn:
            console.print(for_people)
        # A grid's lines are filled up with spaces to the width of its longest.
        click.echo("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def show_json(document: Document) -> None:
    """Print a command's answer for machines."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def show_csv(lines: Iterable[str]) -> None:
    """Print a command's answer for spreadsheets, line by line as it comes."""
    sys.stdout.writelines(lines)


def check_forms(*, as_json: bool, as_csv: bool) -> None:
    """Refuse to print one answer in two forms. Raises click.UsageError."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other.")


def facts(rows: Mapping[str, object]) -> Table:
    """Lay out names and values, one a line."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        grid.add_row(name, str(value))
    return grid


def table(
    names: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    cut: Collection[str] = (),
) -> str:
    """Write rows under their columns' names; those named in `right` hold numbers.

    On a terminal that is too narrow the columns named in `cut` are shortened, one after another;
    what goes to a file or another program stays whole. Rich's own table takes a millisecond a row,
    and lists here have thousands.
    """
    lines = [names, *rows]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        widths = _narrowed(widths, [name in cut for name in names])

    def align(line: Sequence[str]) -> str:
        cells = []
        for name, width, text in zip(names, widths, line, strict=True):
            shown = _shortened(text, width)
            padding = " " * (width - cell_len(shown))
            cells.append(padding + shown if name in right else shown + padding)
        return _GAP.join(cells).rstrip()

    return "\n".join(map(align, lines))


def _narrowed(widths: Sequence[int], may_be_cut: Sequence[bool]) -> list[int]:
    room = shutil.get_terminal_size().columns - len(_GAP) * (len(widths) - 1)
    excess = sum(widths) - room
    narrowed = []
    for width, cuttable in zip(widths, may_be_cut, strict=True):
        less = min(max(0, excess), max(0, width - _LEAST_WIDTH)) if cuttable else 0
        narrowed.append(width - less)
        excess -= less
    return narrowed


def _shortened(text: str, width: int) -> str:
    """Fit a text into some cells: an id keeps both of its ends, a sentence its beginning."""
    if cell_len(text) <= width:
        return text
    is_id = text.isascii() and " " not in text
    tail = text[-((width - 1) // 2) :] if is_id else ""
    return set_cell_size(text, width - 1 - cell_len(tail)) + "…" + tail


def utc(at_ms: int) -> str:
    """Write a time of the ledger's clock (ms since the epoch) as ISO 8601 in UTC."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_second(at_ms: int) -> str:
    """Write a time of the ledger's clock to the second, for a column that says it is UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
