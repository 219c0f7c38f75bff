"""`doctor` finds what is wrong with a deployment; `release` stops one that must not go on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.mailbox import Mailbox
from gatekeeper.sandbox.stripe import SandboxStripe
from gatekeeper.sandbox.valkey import EmbeddedValkey
from gatekeeper.settings import Settings
from tests.cli.conftest import DEAD_PORT, SHARDS, Gatekeeper

ROOT = Path(__file__).parents[2]
SECRETS = ("auth-token", "sk_test_", "whsec_", "hunter2")
DEAD_REDIS = f"redis://someone:hunter2@127.0.0.1:{DEAD_PORT}/0"


@pytest.fixture(scope="module")
def outside() -> Iterator[dict[str, str]]:
    """Stripe and a mail server that answer."""
    with SandboxStripe(secret_key="sk_test_sandbox") as stripe, Mailbox() as mailbox:
        yield {"STRIPE_API_BASE": stripe.base_url, "SMTP_URL": mailbox.smtp_url}


@contextmanager
def server(directory: Path, *args: str) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(directory / "other", extra_args=args) as running:
        yield running


def _checks(gatekeeper: Gatekeeper, *args: str, **env: str) -> dict[str, tuple[str, str]]:
    """Run a check that must fail or pass by what it reports; returns status and detail by name."""
    result = gatekeeper.run(*args, "--json", **env)
    document: Any = json.loads(result.stdout)
    failed = [one for one in document["checks"] if one["status"] == "fail"]
    assert result.exit_code == (1 if failed else 0)
    assert document["ok"] is not bool(failed)
    assert not any(secret in result.output for secret in SECRETS)
    return {one["name"]: (one["status"], one["detail"]) for one in document["checks"]}


def test_all_is_well(gatekeeper: Gatekeeper, outside: dict[str, str]) -> None:
    gatekeeper.ok("release")
    checks = _checks(gatekeeper, "doctor", **outside)
    assert {status for status, _ in checks.values()} == {"ok"}
    assert set(checks) == {
        *("settings", "PUBLIC_URL", "ANSWER_URL", "Twilio", "ledger", "shards", "queues"),
        *("history", "Stripe", "mail"),
    }
    lines = gatekeeper.ok("doctor", **outside).splitlines()
    assert [line.split()[0] for line in lines] == ["ok"] * len(checks)


def test_nothing_can_be_reached(gatekeeper: Gatekeeper) -> None:
    checks = _checks(gatekeeper, "doctor", REDIS_URL=DEAD_REDIS)
    for name in ("ledger", "shards", "queues", "Stripe", "mail"):
        assert checks[name][0] == "fail"
    assert checks["ledger"][1] == "the ledger cannot be reached: connection refused; see REDIS_URL"
    assert checks["queues"][1].endswith("; see REDIS_URL")
    assert checks["Stripe"][1] == "Stripe cannot be reached; see STRIPE_API_BASE"
    checks = _checks(gatekeeper, "doctor", QUEUE_REDIS_URL=DEAD_REDIS)
    assert checks["ledger"][0] == "ok"
    assert checks["queues"][1].endswith("; see QUEUE_REDIS_URL")


def test_stripe_does_not_know_the_key(gatekeeper: Gatekeeper, outside: dict[str, str]) -> None:
    checks = _checks(gatekeeper, "doctor", **outside | {"STRIPE_SECRET_KEY": "sk_test_other"})
    assert checks["Stripe"] == ("fail", "Stripe does not accept STRIPE_SECRET_KEY")


def test_what_customers_send_travels_in_the_open(
    gatekeeper: Gatekeeper, outside: dict[str, str]
) -> None:
    for url, says in (
        ("http://gate.example.com", "can be read on its way"),
        ("http://127.0.0.1:8000", "leads to this machine"),
        ("https://localhost", "leads to this machine"),
        ("http://[::1]:8000", "leads to this machine"),
    ):
        status, detail = _checks(gatekeeper, "doctor", **outside, PUBLIC_URL=url)["PUBLIC_URL"]
        assert status == "warn"
        assert says in detail


def test_the_mail_server_is_entered_as_a_message_would(
    gatekeeper: Gatekeeper, outside: dict[str, str]
) -> None:
    with Mailbox(user="gate", password="hunter2") as mailbox:
        given = outside | {"SMTP_URL": mailbox.smtp_url}
        status, detail = _checks(gatekeeper, "doctor", **given)["mail"]
        assert (status, detail.endswith("takes the user name and password")) == ("ok", True)
        given["SMTP_URL"] = mailbox.smtp_url.replace("hunter2", "hunter22")
        status, detail = _checks(gatekeeper, "doctor", **given)["mail"]
        assert (status, "did not accept the user name and password" in detail) == ("fail", True)
        assert mailbox.deliveries.all() == []


def test_answered_calls_would_come_back(gatekeeper: Gatekeeper, outside: dict[str, str]) -> None:
    own = "https://gate.example.com/voice/incoming"
    assert _checks(gatekeeper, "doctor", **outside, ANSWER_URL=own)["ANSWER_URL"][0] == "fail"


def test_a_server_that_loses_balances(
    gatekeeper: Gatekeeper, outside: dict[str, str], tmp_path: Path
) -> None:
    args = ("--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
    with server(tmp_path, *args) as unfit:
        text = gatekeeper.run("doctor", **outside, REDIS_URL=unfit.url)
        assert text.exit_code == 1
        lines = [line for line in text.stdout.splitlines() if line.startswith("fail")]
        assert len(lines) == 2
        assert "allkeys-lru" in lines[0]
        assert lines[0].endswith("; set maxmemory-policy noeviction")
        assert lines[1].endswith("; set appendonly yes")
        assert text.stderr == "Error: 2 of 11 checks failed\n"
        released = gatekeeper.run("release", REDIS_URL=unfit.url)
        assert released.exit_code == 1
        assert [line for line in released.stdout.splitlines() if "fail" in line] == lines


def test_a_server_that_does_not_tell_is_a_warning(gatekeeper: Gatekeeper, tmp_path: Path) -> None:
    with server(tmp_path) as silent, Redis.from_url(silent.url) as client:
        client.acl_setuser("default", enabled=True, nopass=True, keys="*", commands=["-info"])
        checks = _checks(gatekeeper, "release", REDIS_URL=silent.url)
    assert checks["ledger"] == ("warn", "the server could not be checked: it does not allow INFO")
    assert checks["ledger writes"][0] == "ok"


def test_the_tables_are_made_by_a_release(
    gatekeeper: Gatekeeper, outside: dict[str, str], tmp_path: Path
) -> None:
    gatekeeper.env["DATABASE_URL"] = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    status, detail = _checks(gatekeeper, "doctor", **outside)["history"]
    assert (status, "`gatekeeper release` makes them" in detail) == ("warn", True)
    assert not (tmp_path / "new.sqlite3").exists()  # doctor changes nothing
    for _ in range(2):
        assert _checks(gatekeeper, "release")["history"] == ("ok", "its tables are up to date")
    assert _checks(gatekeeper, "doctor", **outside)["history"][0] == "ok"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////no/such/folder/history.sqlite3", "the folder of its file does not exist"),
        (f"postgresql://gate:hunter2@127.0.0.1:{DEAD_PORT}/gate", "refused"),
    ],
    ids=["no-folder", "no-server"],
)
def test_a_database_that_cannot_be_used(
    gatekeeper: Gatekeeper, outside: dict[str, str], url: str, says: str
) -> None:
    for command in ("doctor", "release"):
        checks = _checks(gatekeeper, command, **outside, DATABASE_URL=url)
        status, detail = checks["history"]
        assert status == "fail"
        assert detail.startswith("history's database cannot be used: ")
        assert says in detail
        assert "DATABASE_URL" in detail


def test_a_database_of_a_newer_version(
    gatekeeper: Gatekeeper, outside: dict[str, str], tmp_path: Path
) -> None:
    gatekeeper.env["DATABASE_URL"] = f"sqlite:///{tmp_path / 'newer.sqlite3'}"
    gatekeeper.ok("release")
    with closing(sqlite3.connect(tmp_path / "newer.sqlite3")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for command in ("doctor", "release"):
        status, detail = _checks(gatekeeper, command, **outside)["history"]
        assert (status, "newer version of Gatekeeper" in detail) == ("fail", True)


def test_settings_that_cannot_be_used_are_all_named(gatekeeper: Gatekeeper) -> None:
    for command in ("doctor", "release"):
        result = gatekeeper.run(
            command, CREDIT_PRICE="-1", STRIPE_SECRET_KEY="hunter2", SMTP_URL=""
        )
        assert result.exit_code == 1
        names = [line.split()[2] for line in result.stdout.splitlines()]
        assert names == ["CREDIT_PRICE:", "SMTP_URL:", "STRIPE_SECRET_KEY:"]
        assert "hunter2" not in result.output


@pytest.mark.parametrize("command", ["doctor", "release"])
def test_the_examples_values_are_refused(
    gatekeeper: Gatekeeper, tmp_path: Path, command: str
) -> None:
    example = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(example)
    alone = Gatekeeper(dict.fromkeys(gatekeeper.env))  # type: ignore[arg-type]  # None unsets
    result = alone.run(command, REDIS_URL=gatekeeper.env["REDIS_URL"])
    assert result.exit_code == 1
    refused = {
        line.split()[2]
        for line in result.stdout.splitlines()
        if line.endswith("still the example's value")
    }
    required = {
        name.upper() for name, field in Settings.model_fields.items() if field.is_required()
    }
    assert refused == {f"{name}:" for name in required - {"REDIS_URL", "CREDIT_PRICE"}}
    assert len(result.stdout.splitlines()) == len(refused)  # nothing is asked of strangers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPS_PASSWORD", "fill-me-in"),
        ("SUPPORT_EMAIL", "support@example.com"),
        ("STRIPE_SECRET_KEY", "sk_test_fillmein"),
        ("TWILIO_AUTH_TOKEN", f"fill-me-in,AC{'1' * 32}:sub-token"),
        ("PUBLIC_URL", "https://gatekeeper.example.com/"),
    ],
)
def test_each_example_is_refused_by_its_name(gatekeeper: Gatekeeper, name: str, value: str) -> None:
    given = {"OPS_USERNAME": "oncall", "OPS_PASSWORD": "secret", name: value}
    assert _checks(gatekeeper, "release", **given) == {
        "settings": ("fail", f"{name}: still the example's value")
    }


def test_a_portal_that_names_nobody_to_write_to(
    gatekeeper: Gatekeeper, outside: dict[str, str]
) -> None:
    portal = outside | {"SECRET_KEY": "a-secret-key-of-at-least-32-characters"}
    checks = _checks(gatekeeper, "doctor", **portal)
    assert checks["SUPPORT_EMAIL"] == ("warn", "is not set: the portal names nobody to write to")
    checks = _checks(gatekeeper, "doctor", **portal, SUPPORT_EMAIL="help@gate.example")
    assert "SUPPORT_EMAIL" not in checks


def test_a_misspelt_name_is_pointed_out(gatekeeper: Gatekeeper, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OWED_LEASES=3\nAWS_REGION=x\n")
    for command in ("doctor", "release"):
        warnings = [
            line for line in gatekeeper.run(command).stdout.splitlines() if line.startswith("warn")
        ]
        assert warnings[0] == (
            "warn  settings: OWED_LEASES in .env is no setting; did you mean OWED_LEASE_S?"
        )
        assert "AWS_REGION" not in "".join(warnings)


def test_the_number_of_shards_is_fixed_by_the_first_release(
    gatekeeper: Gatekeeper, ledger: Ledger, outside: dict[str, str]
) -> None:
    assert _checks(gatekeeper, "doctor", **outside, SHARDS="8")["shards"][0] == "ok"
    assert ledger.client.get(ledger.keys.shard_count()) is None  # doctor changes nothing
    assert _checks(gatekeeper, "release")["shards"][0] == "ok"
    assert _checks(gatekeeper, "release")["shards"][0] == "ok"
    for command in ("doctor", "release"):
        status, detail = _checks(gatekeeper, command, **outside, SHARDS="8")["shards"]
        assert status == "fail"
        assert detail == f"SHARDS is 8, but this ledger was started with {SHARDS}"


def test_a_release_stops_at_a_ledger_that_takes_no_writes(
    gatekeeper: Gatekeeper, tmp_path: Path
) -> None:
    with server(tmp_path, "--maxmemory", "1") as full:
        status, detail = _checks(gatekeeper, "release", REDIS_URL=full.url)["ledger writes"]
        assert status == "fail"
        assert "out of memory" in detail
    assert _checks(gatekeeper, "release", REDIS_URL=DEAD_REDIS)["ledger writes"][0] == "fail"
