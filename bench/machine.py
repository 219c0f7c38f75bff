"""The machine and the software that figures belong to."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast

from redis import Redis

from bench.databases import Database

_PACKAGES: Final = (
    *("granian", "flask", "redis", "hiredis", "gunicorn", "twilio"),
    *("sqlalchemy", "psycopg"),
)


def describe_machine(client: Redis, databases: Sequence[Database]) -> dict[str, str]:
    """Name the processor, the system, and every version that matters."""
    server = cast(dict[str, str], client.info("server"))
    name = server.get("server_name", "redis")
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "ledger": f"{name} {server.get(f'{name}_version', '')}, append-only file on",
        "history": f"{' and '.join(f'{each.name} {each.version}' for each in databases)}, durable",
        "packages": ", ".join(f"{package} {version(package)}" for package in _PACKAGES),
        "load before": f"{os.getloadavg()[0]:.1f} processes running, on average over a minute",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
