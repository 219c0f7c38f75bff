"""What a person sees of the demo, who watches it, looks inside and stops it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import requests

from tests.cli.terminal import Terminal

pytestmark = pytest.mark.slow


def test_watch_look_inside_and_stop(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    with Terminal("demo", env=env, directory=tmp_path, columns=120) as terminal:
        terminal.read_until("until you press Ctrl-C")
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
        ]
        links = re.findall(r"^ +(http://127\.0\.0\.1:\d+/\S+)$", rest, re.MULTILINE)
        assert len(links) == 4 + 1
        for link in links:
            assert requests.get(link, timeout=10).ok
        terminal.process.send_signal(signal.SIGINT)
        terminal.read_until("Stopped.")
    assert terminal.process.returncode == 0
