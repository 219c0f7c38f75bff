"""Log lines: one JSON object a line, whatever is logged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gatekeeper import logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    logs.configure(out)
    yield out
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_has_its_time_level_and_event_first(stream: io.StringIO) -> None:
    structlog.get_logger().info("call_decided", call="CA1", balance=None, repeated=True)
    (line,) = lines(stream)
    assert list(line) == ["at", "level", "event", "call", "balance", "repeated"]
    assert line["level"] == "info"
    assert line["at"].endswith("+00:00")


def test_libraries_log_alike(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("%s things", 3)
    (line,) = lines(stream)
    assert (line["level"], line["event"]) == ("warning", "3 things")


@pytest.mark.parametrize("text", ["a\nb", "a\r\x1b[31m", "\u2028\x85", "\x00", "\ud800"])
def test_text_cannot_break_out_of_its_line(stream: io.StringIO, text: str) -> None:
    structlog.get_logger().info(text, value=text)
    assert stream.getvalue().isascii()
    assert stream.getvalue().count("\n") == 1
    (line,) = lines(stream)
    assert (line["event"], line["value"]) == (text, text)


def test_an_exception_shows_its_trace_and_no_variables(stream: io.StringIO) -> None:
    password = "hunter2"

    def fail(_: str) -> None:
        raise ValueError("no")

    for log in (structlog.get_logger(), logging.getLogger("lib")):
        try:
            fail(password)
        except ValueError:
            log.exception("failed")
    for line in lines(stream):
        assert line["level"] == "error"
        assert "ValueError: no" in line["exception"]
        assert password not in line["exception"].replace('password = "hunter2"', "")


def test_debug_lines_are_left_out(stream: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("lib").debug("detail")
    assert stream.getvalue() == ""
