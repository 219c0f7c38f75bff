"""The benchmark runs and reports; what it finds is judged where the machine is quiet."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.command_loops import CONNECTIONS, RANDOM, RUN, by_sockets
from bench.figures import Comparison, Figure, Reading
from bench.pieces import Piece
from bench.report import Report, write_report
from gatekeeper.ledger.client import connect
from gatekeeper.sandbox.valkey import EmbeddedValkey

ROOT = Path(__file__).resolve().parents[2]
FIGURES = (
    "usual recipe",
    "bare Flask",
    "calls/s, median",
    "calls/s, 99th percentile",
    "the load generator's share of a core",
    "admit_call, by ",
    "its commands, without its logic",
    "admit_call, 16 under way on each connection",
    "admit_call, one after the other from Python",
    "memory, an account with a card",
    "memory, a call while it is kept",
    "the log into SQLite",
    "the log into PostgreSQL",
    "SQLite, calls of a number",
    "PostgreSQL, one call by its CallSid",
    "entries in the log and in SQLite",
    "entries in the log and in PostgreSQL",
)
PIECES = (
    "reading the form",
    "checking the signature",
    "checking the parameters",
    "admit_call, one round trip",
    "the log line",
    "metrics",
    "XADD",
)


@pytest.mark.slow
def test_a_short_run_reports_every_figure() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert [row for row in FIGURES + PIECES if row not in run.stdout] == []


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    figure = Comparison("f", "other", "1/s", [10, 30, 20], [10, 10, 10], ratio_wanted=2)
    assert (figure.ratio, figure.is_missed) == (2, False)
    assert Comparison("f", "other", "1/s", [19], [10], ratio_wanted=2).is_missed
    assert not Comparison("f", "other", "1/s", [1], [10]).is_missed


def test_figures_are_written_between_the_markers_alone(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("before\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nafter\n")
    figures: list[Figure] = [Comparison("f", "other", "1/s", [3], [2]), Reading("size", "bytes", 7)]
    report = Report({"Python": "3"}, figures, [Piece("log", 1.5)])
    for _ in range(2):
        write_report(report, document)
        text = document.read_text()
        assert text.startswith("before\n<!-- bench: begin -->\n")
        assert text.endswith("\n<!-- bench: end -->\nafter\n")
        assert "old" not in text
        assert text.count("| 1.50 |") == 1


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path) as server:
        yield server


@pytest.mark.parametrize("depth", [1, 4])
def test_the_equal_loop_runs_each_command_once(own_valkey: EmbeddedValkey, depth: int) -> None:
    count = 8 * CONNECTIONS
    with connect(own_valkey.url, timeout_s=10, max_connections=1) as client:
        rate = by_sockets(client, own_valkey.port, ["SET", RUN + RANDOM, "1"], count, depth)
        assert client.dbsize() == count
    assert rate > 0
