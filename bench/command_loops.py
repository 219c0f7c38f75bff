"""Runs one command many times against a server: by its benchmark tool, or by an equal loop."""

from __future__ import annotations

import csv
import random
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import hiredis
from redis import Redis

Command = list[str]
#: Runs a command `count` times with so many under way on each connection; returns how many a
#: second the server managed. `count` is a multiple of all that can be under way.
Loop = Callable[[Command, int, int], float]

#: Stands for twelve digits, a random number below 2^31 each time the command is sent.
RANDOM: Final = "__rand_int__"
_RANDOM_MAX: Final = 2**31 - 1
#: Stands for eight digits, others in each run: the tools' random numbers may come again.
RUN: Final = "__run_no"
#: Both tools' default.
CONNECTIONS: Final = 50
_TOOLS: Final = ("valkey-benchmark", "redis-benchmark")
_CHUNK_BYTES: Final = 1 << 20


def best_loop(port: int, client: Redis) -> tuple[Loop, str]:
    """Pick the way to run commands on the server at a port, and name it."""
    tool = next(filter(None, map(shutil.which, _TOOLS)), None)
    if tool is None:
        return partial(by_sockets, client, port), "an equal loop"
    return partial(by_tool, tool, port), Path(tool).name


def by_tool(tool: str, port: int, command: Command, count: int, depth: int) -> float:
    """Run a command by the server's own benchmark tool; counts by the time on the wall."""
    options = ["-h", "127.0.0.1", "-p", port, "-n", count, "-P", depth, "-r", _RANDOM_MAX, "--csv"]
    output = subprocess.run(
        [tool, *map(str, options), *_numbered(command)], check=True, capture_output=True, text=True
    ).stdout
    row = next(csv.DictReader(output.splitlines()))
    return float(row["rps"])


def by_sockets(client: Redis, port: int, command: Command, count: int, depth: int) -> float:
    """Run a command as the tools do, and count by the CPU time that the server says it took.

    Python is too slow to keep the server busy, so the time on the wall would say little.
    """
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            for _ in range(CONNECTIONS)
        ]
        turns, command = count // (CONNECTIONS * depth), _numbered(command)
        cpu_before_s = _cpu_s(client)
        for _ in range(turns):
            for connection in sockets:
                connection.sendall(b"".join(_packed(command) for _ in range(depth)))
            for connection in sockets:
                _read_replies(connection, depth)
        cpu_s = _cpu_s(client) - cpu_before_s
    return turns * CONNECTIONS * depth / cpu_s


def _numbered(command: Command) -> Command:
    digits = f"{random.randrange(10 ** len(RUN)):0{len(RUN)}}"
    return [word.replace(RUN, digits) for word in command]


def _packed(command: Command) -> bytes:
    digits = f"{random.randrange(_RANDOM_MAX):012}"
    words = [word.replace(RANDOM, digits).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def _read_replies(connection: socket.socket, count: int) -> None:
    reader = hiredis.Reader()
    while count:
        reader.feed(connection.recv(_CHUNK_BYTES))
        while count and reader.gets() is not False:
            count -= 1


def _cpu_s(client: Redis) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])
