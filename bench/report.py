"""The report: the same rows on a terminal and in docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.figures import Comparison, Figure
from bench.pieces import Piece

_BEGIN: Final = "<!-- bench: begin -->"
_END: Final = "<!-- bench: end -->"
_COLUMNS: Final = ("figure", "ours", "other", "ratio", "spread", "wanted", "verdict")


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run found."""

    machine: Mapping[str, str]
    figures: Sequence[Figure]
    pieces: Sequence[Piece]

    @property
    def is_missed(self) -> bool:
        """Whether a figure is not what it should be."""
        return any(figure.is_missed for figure in self.figures)


def print_report(report: Report, console: Console) -> None:
    """Print the report for people."""
    for name, value in report.machine.items():
        console.print(f"{name}: {value}", highlight=False)
    table = Table(title="Figures", title_justify="left")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in ("figure", "other") else "right")
    for figure in report.figures:
        table.add_row(*_cells(figure), style="bold red" if figure.is_missed else None)
    console.print(table)
    table = Table(title="Where the time goes", title_justify="left")
    table.add_column("piece")
    table.add_column("µs", justify="right")
    for piece in report.pieces:
        table.add_row(_indented(piece, "  "), f"{piece.micros:.1f}")
    console.print(table)


def write_report(report: Report, document: Path) -> None:
    """Put the report between the two markers of a document."""
    before, _, rest = document.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    document.write_text(before + "\n".join([_BEGIN, *_markdown(report), _END]) + after)


def _markdown(report: Report) -> Iterator[str]:
    yield f"Measured on {datetime.now(UTC):%Y-%m-%d}:"
    yield ""
    yield from (f"- {name}: {value}" for name, value in report.machine.items())
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield "|---|---:|---|---:|---:|---:|---|"
    yield from (f"| {' | '.join(_cells(figure))} |" for figure in report.figures)
    yield ""
    yield "| where the time goes | µs |"
    yield "|---|---:|"
    yield from (f"| {_indented(piece, '— ')} | {piece.micros:.1f} |" for piece in report.pieces)


def _cells(figure: Figure) -> tuple[str, ...]:
    wanted = _wanted(figure)
    verdict = ("missed" if figure.is_missed else "ok") if wanted else ""
    if isinstance(figure, Comparison):
        return (
            figure.name,
            f"{_number(median(figure.ours))} {figure.unit}",
            f"{figure.other_name}: {_number(median(figure.others))} {figure.unit}",
            f"{figure.ratio:.2f}",
            f"{min(figure.ratios):.2f} to {max(figure.ratios):.2f}",
            wanted,
            verdict,
        )
    return (
        figure.name,
        f"{_number(figure.value)} {figure.unit}",
        "",
        "",
        "",
        wanted,
        verdict,
    )


def _wanted(figure: Figure) -> str:
    if isinstance(figure, Comparison):
        bounds = [
            ("≥", figure.ratio_wanted),
            ("≤", figure.ratio_most_wanted),
            ("ours ≥", figure.ours_wanted),
        ]
    else:
        bounds = [("≤", figure.most_wanted)]
    return ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _indented(piece: Piece, mark: str) -> str:
    return mark + piece.name if piece.is_part else piece.name
