"""Ends a process with all that it started, wherever in its session that has put itself.

A process group is not enough: RQ's worker gives the child that runs a job a group of its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def kill_session(leader: subprocess.Popen[bytes]) -> None:
    """Kill a process made with `start_new_session=True`, and its whole session, with SIGKILL.

    The leader goes first, so that it can neither react nor start anything more.
    """
    leader.kill()
    leader.wait()
    for pid in session_members(leader.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def session_members(leader_pid: int) -> list[int]:
    """List the processes of a session; the leader is one of them while it lives."""
    return [pid for pid in _all_pids() if _session_of(pid) == leader_pid]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:  # ended meanwhile, or somebody else's
        return None


def _all_pids() -> list[int]:
    if Path("/proc/self").exists():
        names = [entry.name for entry in Path("/proc").iterdir()]
    else:
        names = subprocess.check_output(["/bin/ps", "-A", "-o", "pid="], text=True).split()
    return [int(name) for name in names if name.isdigit()]
