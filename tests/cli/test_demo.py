"""What a person sees of the demo, who watches it, looks inside and ends it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from gatekeeper.sandbox.stack import PROCESSES
from tests.cli.terminal import Terminal

pytestmark = pytest.mark.slow


def _children(process_id: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = (tuple(map(int, line.split())) for line in listed.stdout.splitlines())
    return [child for child, parent in pairs if parent == process_id]


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def test_watch_look_inside_and_end_with_nothing_left(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    with Terminal("demo", env=env, directory=tmp_path, columns=120) as terminal:
        terminal.read_until("until you press Ctrl-C")
        terminal.read_until("/readyz", after="until you press Ctrl-C")
        shown = terminal.plain()
        story, _, rest = shown.partition("The sums")
        assert "six calls, and the balance falls below its threshold" in story
        assert "Every sum agrees." in rest
        assert "/readyz" in rest
        look_inside = re.search(r"^ +(set -a; .+)\n +(\S+ account list)$", rest, re.MULTILINE)
        assert look_inside is not None
        listed = subprocess.run(
            ["sh", "-c", "; ".join(look_inside.groups())],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert [line.split()[1] for line in listed.stdout.splitlines()[1:]] == [
            "Bright",
            "Corner",
            "Delta",
            "Echo",
            "Fern",
        ]
        links = re.findall(r"^ +(http://127\.0\.0\.1:\d+/\S+)$", rest, re.MULTILINE)
        assert "viewer of Bright Dental" in rest
        assert len(links) == 5 + 2
        for link in links:
            assert requests.get(link, timeout=10).ok
        directory = Path(shlex.split(look_inside[1])[3].rstrip(";")).parent
        started = _children(terminal.process.pid)
        assert directory.is_dir()
        assert len(started) >= 1 + len(PROCESSES)
        # As when a terminal is closed: its process is told by the shell and by the system.
        terminal.process.send_signal(signal.SIGTERM)
        terminal.process.send_signal(signal.SIGHUP)
        terminal.read_until("Stopped.")
    assert terminal.process.returncode == 0
    assert not directory.exists()
    assert not [one for one in started if _runs(one)]
