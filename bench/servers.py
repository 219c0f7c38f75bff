"""The servers that are compared, each a process of its own, on one embedded Valkey."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from redis import Redis

from bench.calls import PUBLIC_URL
from bench.usual_recipe import balance_key
from gatekeeper.domain.account import MAX_CREDITS, NewAccount, new_account_id
from gatekeeper.domain.route import Route
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stack import AUTH_TOKEN, RECEPTIONIST_URL, LocalStack, free_port
from gatekeeper.telephony.twiml import answer_twiml

#: As many as `gatekeeper serve` has by default.
THREADS: Final = 4
#: Calls are spread over so many accounts with one number each.
NUMBERS: Final = [f"+1555000{n:04}" for n in range(20)]
#: What every server answers to every call.
DOCUMENT: Final = answer_twiml(Route.parse(RECEPTIONIST_URL))

_SETTINGS: Final = {
    "PUBLIC_URL": PUBLIC_URL,
    "SHARDS": "1",
    "WEB_THREADS": str(THREADS),
    "WEB_WORKERS": "1",
}
_ROOT: Final = Path(__file__).resolve().parent.parent
_START_TIMEOUT_S: Final = 20.0
_STOP_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """One server of the comparison. `charged` reads how many credits it has taken so far."""

    name: str
    port: int
    charged: Callable[[], int] | None


@dataclass(frozen=True, slots=True)
class Contest:
    """The servers, and the ledger behind ours."""

    gate: Server
    usual: Server
    bare: Server
    stack: LocalStack
    ledger: Ledger
    account_ids: Sequence[str]


@contextmanager
def contest(directory: Path) -> Iterator[Contest]:
    """Start everything in an empty directory, and stop it again."""
    with ExitStack() as stack:
        local = stack.enter_context(LocalStack(directory, extra_env=_SETTINGS))
        ledger = Ledger(connect(local.valkey.url, timeout_s=10, max_connections=4))
        stack.callback(ledger.client.close)
        # Rewriting the append-only file would burden one server or another by chance.
        ledger.client.config_set("auto-aof-rewrite-percentage", 0)
        account_ids = _open_accounts(ledger)
        local.start("web")
        usual_port, bare_port = free_port(), free_port()
        for port, command in (
            (usual_port, _gunicorn(usual_port, "bench.usual_recipe:create_app()")),
            (bare_port, _granian(bare_port, "bench.bare_flask:create_app")),
        ):
            stack.enter_context(_running(command, port, local.valkey.url, directory))
        yield Contest(
            gate=Server("gate", local.web_port, lambda: _gate_charged(ledger, account_ids)),
            usual=Server("usual recipe", usual_port, lambda: _usual_charged(ledger.client)),
            bare=Server("bare Flask", bare_port, None),
            stack=local,
            ledger=ledger,
            account_ids=account_ids,
        )


def _open_accounts(ledger: Ledger) -> list[str]:
    account_ids = []
    for number in NUMBERS:
        new = NewAccount(new_account_id(), "Practice", "owner@example.com", allotment=MAX_CREDITS)
        ledger.accounts.open_account(new)
        ledger.numbers.assign_number(number, new.id)
        ledger.client.set(balance_key(number), MAX_CREDITS)
        account_ids.append(new.id)
    return account_ids


def _gate_charged(ledger: Ledger, account_ids: Sequence[str]) -> int:
    return sum(MAX_CREDITS - ledger.accounts.account(id_).balance for id_ in account_ids)


def _usual_charged(client: Redis) -> int:
    balances = client.mget([balance_key(number) for number in NUMBERS])
    return sum(MAX_CREDITS - int(str(balance)) for balance in balances)


def _gunicorn(port: int, app: str) -> list[str]:
    options = f"--worker-class gthread --workers 1 --threads {THREADS} --log-level warning"
    return ["gunicorn", *options.split(), "--no-control-socket", "-b", f"127.0.0.1:{port}", app]


def _granian(port: int, app: str) -> list[str]:
    """Write the command that serves an application as gatekeeper/cli/server.py serves ours."""
    options = (
        "--interface wsgi --factory --http 1 --no-ws --workers 1"
        f" --blocking-threads {THREADS} --backlog 1024 --log-level warning"
    )
    return ["granian", *options.split(), "--host", "127.0.0.1", "--port", str(port), app]


@contextmanager
def _running(command: list[str], port: int, redis_url: str, directory: Path) -> Iterator[None]:
    own = {
        "REDIS_URL": redis_url,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "ANSWER_URL": RECEPTIONIST_URL,
    }
    with (directory / f"{command[0]}.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, **own},
            cwd=_ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(process, port, command[0])
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, name: str) -> None:
    deadline_s = time.monotonic() + _START_TIMEOUT_S
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"{name} does not answer") from None
            time.sleep(0.05)
        else:
            return
        finally:
            connection.close()
