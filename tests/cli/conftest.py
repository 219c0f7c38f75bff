"""The command line on a real ledger. Its settings come from the environment, as in production."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from gatekeeper.cli import main
from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.history.engine import open_history
from gatekeeper.history.migrations import migrate
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey

ACCOUNT_SID = "AC" + "5a" * 16
SUB_ACCOUNT_SID = "AC" + "6b" * 16
SHARDS = 4
#: Nothing listens here.
DEAD_PORT = 1


@dataclass
class Gatekeeper:
    """Runs commands with an environment."""

    env: dict[str, str]
    runner: CliRunner = field(default_factory=CliRunner)

    def run(self, *args: str, **env: str) -> Result:
        """Run a command, whatever it comes to. An exception that reaches the user is a failure."""
        result = self.runner.invoke(main, args, env=self.env | env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *args: str, **env: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        result = self.run(*args, **env)
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout.rstrip("\n")

    def json(self, *args: str, **env: str) -> Any:
        """Run a command with --json that must succeed; returns the document."""
        return json.loads(self.ok(*args, "--json", **env))

    def refused(self, *args: str, **env: str) -> str:
        """Run a command that must fail by the rules; returns its one line."""
        result = self.run(*args, **env)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ")
        return line.removeprefix("Error: ")

    def usage_error(self, *args: str) -> str:
        """Run a command that is misspelt; returns what it said."""
        result = self.run(*args)
        assert result.exit_code == 2, result.output
        return result.stderr


@pytest.fixture
def env(valkey: EmbeddedValkey, tmp_path: Path) -> dict[str, str]:
    return {
        "PUBLIC_URL": "https://gate.example.com",
        "REDIS_URL": valkey.url,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'history.sqlite'}",
        "SHARDS": str(SHARDS),
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": f"auth-token,{SUB_ACCOUNT_SID}:other-token",
        "STRIPE_SECRET_KEY": "sk_test_sandbox",
        "STRIPE_WEBHOOK_SECRET": "whsec_sandbox",
        "STRIPE_API_BASE": f"http://127.0.0.1:{DEAD_PORT}",
        "SMTP_URL": f"smtp://127.0.0.1:{DEAD_PORT}",
        "MAIL_FROM": "billing@gate.example.com",
        "CREDIT_PRICE": "25",
        "ANSWER_URL": "https://receptionist.example.com/twiml",
    }


@pytest.fixture
def gatekeeper(
    env: dict[str, str], ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Gatekeeper:
    monkeypatch.chdir(tmp_path)  # a developer's .env must not reach the commands
    return Gatekeeper(env)


@pytest.fixture
def ledger(valkey: EmbeddedValkey) -> Iterator[Ledger]:
    """The ledger that the commands work on, empty."""
    client = connect(valkey.url, timeout_s=10, max_connections=16)
    client.flushall()
    yield Ledger(client, shards=SHARDS)
    client.close()


@pytest.fixture
def history(env: dict[str, str]) -> Iterator[Engine]:
    """History's database that the commands read, with tables, empty."""
    engine = open_history(env["DATABASE_URL"])
    migrate(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def account_id(ledger: Ledger) -> str:
    """An account with an allotment of 3."""
    return open_account(ledger, allotment=3)


def open_account(
    ledger: Ledger,
    name: str = "Able",
    allotment: int = 0,
    *,
    timezone: str = "UTC",
    anchor_ms: int | None = None,
) -> str:
    account_id = new_account_id()
    ledger.accounts.open_account(
        NewAccount(account_id, name, "able@example.com", allotment, timezone, anchor_ms)
    )
    return account_id
