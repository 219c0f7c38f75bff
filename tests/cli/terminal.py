"""Commands on a terminal, whose width decides what they print."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

LINES = 50
#: How text is coloured, and how a table is taken back before it is drawn anew.
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal so many columns wide, and a command that runs on it."""

    def __init__(
        self, *args: str, env: Mapping[str, str], directory: Path, columns: int = 80
    ) -> None:
        self._ours, theirs = pty.openpty()
        self._shown = b""
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gatekeeper", *args],
            env={**env, "TERM": "xterm"},
            cwd=directory,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)

    def read_until(self, text: str, *, after: str = "") -> None:
        """Read until the command has written this, behind the first `after` if that is given."""
        while text not in self._behind(after):
            assert self._read(), f"ended without {text!r}:\n{self.plain()}"

    def _behind(self, text: str) -> str:
        shown = self.plain()
        return shown.partition(text)[2] if text else shown

    def read_all(self) -> None:
        """Read until the command has ended."""
        while self._read():
            pass

    def plain(self) -> str:
        """Return everything that was written, without colours and movements."""
        return ESCAPES.sub("", self._shown.decode(errors="replace")).replace("\r\n", "\n")

    def _read(self) -> bool:
        chunk = b""
        with suppress(OSError):  # how a terminal says that nobody is left to write to it
            chunk = os.read(self._ours, 65536)
        self._shown += chunk
        return bool(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[0] is not None:
            self.process.kill()
        self.read_all()
        self.process.wait(30)
        os.close(self._ours)


def on_terminal(*args: str, env: Mapping[str, str], directory: Path, columns: int = 80) -> str:
    """Run a command that must succeed on a terminal; returns what it wrote."""
    with Terminal(*args, env=env, directory=directory, columns=columns) as terminal:
        terminal.read_all()
    assert terminal.process.returncode == 0, terminal.plain()
    return terminal.plain()
