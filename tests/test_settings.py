"""The environment is read in one place, and refused with every problem in one message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from gatekeeper.domain.call import Decision
from gatekeeper.settings import (
    Settings,
    SettingsError,
    load_settings,
    misspelt_names,
    refuse_live_key,
)

ROOT = Path(__file__).parents[1]
GOOD = {
    "PUBLIC_URL": "https://gate.example.com/",
    "REDIS_URL": "rediss://:redis-password@redis.example.com:6380/0?ssl_cert_reqs=none",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "old-token,new-token,AC" + "1" * 32 + ":sub-token",
    "STRIPE_SECRET_KEY": "sk_test_secretkey",
    "STRIPE_WEBHOOK_SECRET": "whsec_one, whsec_two",
    "SMTP_URL": "smtps://user:mail-password@mail.example.com",
    "MAIL_FROM": "billing@example.com",
    "CREDIT_PRICE": "25",
    "ANSWER_URL": "https://receptionist.example.com/twiml",
}
SECRETS = ("redis-password", "old-token", "sub-token", "secretkey", "whsec_one", "mail-password")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    monkeypatch.chdir(tmp_path)  # no .env lies here


def _load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    for name, value in (GOOD | changes).items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_a_good_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch)
    assert settings.public_origin == "https://gate.example.com"
    assert settings.twilio_tokens == {
        "AC" + "0" * 32: ("old-token", "new-token"),
        "AC" + "1" * 32: ("sub-token",),
    }
    assert settings.webhook_secrets == ("whsec_one", "whsec_two")
    assert settings.ledger_down_policy is Decision.ANSWER
    assert settings.jobs_redis_url == GOOD["REDIS_URL"]
    assert settings.database_url.get_secret_value() == "sqlite:///gatekeeper.sqlite3"


def test_no_secret_is_ever_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _load(monkeypatch, DATABASE_URL="postgresql://gate:sql-password@db.example.com/gate")
    shown = repr(settings) + str(settings.model_dump())
    assert not [secret for secret in (*SECRETS, "sql-password") if secret in shown]


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert {problem.split(":")[0] for problem in caught.value.problems} == {".env", *GOOD}
    assert caught.value.problems[0] == (
        ".env: there is none in this folder; copy .env.example to .env and fill it in"
    )


def test_where_there_is_a_file_or_a_variable_only_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDIT_PRICE", "25")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert ".env" not in str(caught.value)
    monkeypatch.delenv("CREDIT_PRICE")
    (tmp_path / ".env").touch()
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert ".env" not in str(caught.value)


def test_a_misspelt_name_is_told_beside_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = ["CREDIT_PRIZE=25", "WEB_THREAD=8", "AWS_REGION=x", "port=1", "export DROP_VOICES=x"]
    (tmp_path / ".env").write_text("\n".join(lines))
    assert misspelt_names() == {
        "CREDIT_PRIZE": "CREDIT_PRICE",
        "WEB_THREAD": "WEB_THREADS",
        "DROP_VOICES": "DROP_VOICE",
    }
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CREDIT_PRICE")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.problems == ["CREDIT_PRICE: is not set; .env has CREDIT_PRIZE"]


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    assert misspelt_names() == {}
    (tmp_path / ".env").write_bytes(b"PRODUCT_NAME=B\xe4cker\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert caught.value.problems == [".env: is not UTF-8"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "gate.example.com"),
        ("PUBLIC_URL", "https://gate.example.com/path"),
        ("PUBLIC_URL", "https://gate.example.com:notaport"),
        ("PUBLIC_URL", "https://user@gate.example.com"),
        ("PUBLIC_URL", "https://user:hunter2@gate.example.com"),
        ("REDIS_URL", "http://redis.example.com"),
        ("REDIS_URL", "redis://redis.example.com/0?socket_timeout=30"),
        ("REDIS_URL", "redis://redis.example.com/0?decode_responses=False"),
        ("REDIS_URL", "redis://redis.example.com/0?db=3"),
        ("REDIS_URL", "redis://redis.example.com/0?ssl_cert_reqs=none"),
        ("REDIS_URL", "rediss://redis.example.com/0?ssl_cert_reqs=none&protocol=3"),
        ("REDIS_URL", "rediss://redis.example.com/0?ssl_cert_reqs=perhaps"),
        ("REDIS_URL", "rediss://redis.example.com/0?ssl_no_such_option=1"),
        ("REDIS_URL", "rediss://redis.example.com/0?ssl_min_version=old"),
        ("REDIS_URL", "redis://redis.example.com/gatekeeper"),
        ("REDIS_URL", "redis://redis.example.com/0/1"),
        ("REDIS_URL", "redis://redis.example.com/-1"),
        ("REDIS_URL", "redis://redis.example.com/0#1"),
        ("QUEUE_REDIS_URL", "redis://redis.example.com/0?socket_timeout=30"),
        ("QUEUE_REDIS_URL", "redis://redis.example.com/queues"),
        ("DATABASE_URL", "gatekeeper.sqlite3"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "mysql://gate:hunter2@db.example.com/gate"),
        ("DATABASE_URL", "postgresql://gate:hunter2@db.example.com"),
        ("DATABASE_URL", "postgresql://gate:hunter2@db.example.com:port/gate"),
        ("TWILIO_ACCOUNT_SID", "AC123"),
        ("TWILIO_AUTH_TOKEN", "a,,b"),
        ("TWILIO_AUTH_TOKEN", "ACnot:token"),
        ("STRIPE_SECRET_KEY", "pk_test_1"),
        ("STRIPE_WEBHOOK_SECRET", "hush-hush"),
        ("STRIPE_API_BASE", "ftp://x"),
        ("SMTP_URL", "mail.example.com"),
        ("MAIL_FROM", "Billing <billing@example.com>"),
        ("SUPPORT_EMAIL", "nobody-there"),
        ("CREDIT_PRICE", "-7"),
        ("CREDIT_PRICE", "2.5"),
        ("CREDIT_PRICE", "many"),
        ("CURRENCY", "dollars"),
        ("ANSWER_URL", "receptionist"),
        ("DROP_MESSAGE", "bell \x07"),
        ("DROP_LANGUAGE", "&"),
        ("LEDGER_DOWN_POLICY", "maybe"),
        ("SHARDS", "5000"),
        ("SHARDS", "-1"),
        ("PORT", "65536"),
        ("WEB_THREADS", "none"),
        ("WEB_HOST", "not a host"),
        ("WEB_HOST", "127.0.0.1:8000"),
        ("WEB_HOST", "999.0.0.1"),
        ("WEB_HOST", "http://localhost"),
        ("WEB_HOST", "-"),
        ("OWED_LEASE_S", "0.09"),
        ("OWED_LEASE_S", "nan"),
        ("SECRET_KEY", "hunter2"),
        ("SECRET_KEY", "k" * 32 + ",hunter2"),
        ("SECRET_KEY", "k" * 20 + " " + "k" * 20),
        ("ADMIN_EMAILS", "nobody-there"),
        ("ADMIN_EMAILS", "a@example.com,,b@example.com"),
        ("TRUSTED_PROXIES", "6"),
        ("TRUSTED_PROXIES", "-1"),
        ("PRODUCT_NAME", "B\udce4cker"),
        ("LOGO_URL", "http://www.example.com/logo.svg"),
        ("LOGO_URL", "//www.example.com/logo.svg"),
        ("LOGO_URL", "https://www.example.com;script-src/logo.svg"),
        ("LOGO_URL", "images/mark.png"),
        ("ACCENT_COLOR", "blue"),
        ("ACCENT_COLOR", "#24d"),
        ("FRAME_ANCESTORS", "*"),
        ("FRAME_ANCESTORS", "https://app.example.com/path"),
        ("FRAME_ANCESTORS", "https://app.example.com; script-src *"),
    ],
)
def test_a_mistyped_variable_is_named_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        _load(monkeypatch, **{name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: ")
    assert value not in problem.removeprefix(name)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "CREDIT_PRICE",
            "0.25",
            "must be a whole number of the currency's smallest unit, such as 25 for $0.25",
        ),
        ("TWILIO_ACCOUNT_SID", "AC123", "must be AC and 32 hex digits"),
        ("TWILIO_ACCOUNT_SID", "AC" + "A" * 32, "must be AC and 32 hex digits"),
        ("CURRENCY", "EURO", "must be three lower-case letters, such as usd"),
        ("PORT", "http", "must be a whole number from 1 to 65535"),
        ("SHARDS", "0", "must be a whole number from 1 to 1024"),
        ("WEB_WORKERS", "65", "must be a whole number from 1 to 64"),
        ("WEB_THREADS", "257", "must be a whole number from 1 to 256"),
        ("HUNG_UP_BELOW_S", "0", "must be a whole number from 1 to 60"),
        ("LOG_KEPT_S", "a day", "must be a whole number from 60 to 31536000"),
        ("OWED_LEASE_S", "soon", "must be a number of seconds from 0.1 to 3600"),
        ("LEDGER_DOWN_POLICY", "hang up", "must be answer or drop"),
        ("PRODUCT_NAME", "x" * 81, "must be 1 to 80 printable characters"),
        ("OPS_USERNAME", "on:call", "must be printable characters without a colon"),
    ],
)
def test_what_a_variable_must_be_is_told_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        _load(monkeypatch, **{"OPS_PASSWORD": "secret", "OPS_USERNAME": "oncall", name: value})
    assert caught.value.problems == [f"{name}: {says}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("WEB_HOST", host) for host in ("0.0.0.0", "::", "::1", "localhost", "gate-1.internal")),
        ("REDIS_URL", "redis://redis.example.com"),
        ("REDIS_URL", "redis://redis.example.com/"),
        ("REDIS_URL", "redis://redis.example.com/15"),
        ("REDIS_URL", "rediss://redis.example.com/?ssl_cert_reqs=none&ssl_check_hostname=false"),
        ("REDIS_URL", "rediss://redis.example.com/0?ssl_ca_certs=/etc/redis/ca.pem"),
        ("QUEUE_REDIS_URL", "redis://[::1]:6380/1"),
        ("DATABASE_URL", "sqlite:////var/lib/gatekeeper/history.sqlite3"),
        ("DATABASE_URL", "postgres://gate:p%40ss@db.example.com:5432/gate?sslmode=require"),
        ("HUNG_UP_BELOW_S", "60"),
        ("LOG_KEPT_S", "60"),
        ("OWED_LEASE_S", "0.1"),
        ("PUBLIC_URL", "https://gate.example.com:8443"),
        ("LOGO_URL", "https://www.example.com/logo.svg?v=2"),
        ("LOGO_URL", "/logo.svg"),
        ("ACCENT_COLOR", "#FFd000"),
        ("FRAME_ANCESTORS", "https://app.example.com, https://www.example.com:8443"),
    ],
)
def test_a_value_that_can_be_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    loaded = getattr(_load(monkeypatch, **{name: value}), name.lower())
    text = loaded.get_secret_value() if isinstance(loaded, SecretStr) else str(loaded)
    assert text == value


def test_contradictions(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="OPS_USERNAME, OPS_PASSWORD"):
        _load(monkeypatch, OPS_USERNAME="oncall")
    monkeypatch.delenv("OPS_USERNAME")
    with pytest.raises(SettingsError, match="STRIPE_API_BASE"):
        _load(
            monkeypatch,
            STRIPE_SECRET_KEY="sk_live_real",
            STRIPE_API_BASE="http://127.0.0.1:9",
        )


def test_the_portals_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "o" * 32, "n" * 40
    settings = _load(monkeypatch)
    assert (settings.secret_keys, settings.sso_secrets, settings.admins) == ((), (), frozenset())
    settings = _load(
        monkeypatch,
        SECRET_KEY=f"{old}, {new}",
        SSO_SECRET=new,
        ADMIN_EMAILS="Ann@Example.com, bob@example.com",
    )
    assert (settings.secret_keys, settings.sso_secrets) == ((old, new), (new,))
    assert settings.admins == {"ann@example.com", "bob@example.com"}
    shown = repr(settings) + str(settings.model_dump())
    assert old not in shown
    assert new not in shown


@pytest.mark.parametrize(
    ("name", "value"), [("ADMIN_EMAILS", "a@example.com"), ("SSO_SECRET", "s" * 32)]
)
def test_nobody_signs_in_without_a_key(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        _load(monkeypatch, **{name: value})
    assert caught.value.problems == ["SECRET_KEY: is needed for ADMIN_EMAILS and SSO_SECRET"]


def test_the_sandbox_refuses_a_live_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse_live_key()
    (tmp_path / ".env").write_text("STRIPE_SECRET_KEY=sk_live_in_a_file\n")
    with pytest.raises(SettingsError, match="live key"):
        refuse_live_key()
    (tmp_path / ".env").unlink()
    monkeypatch.setenv("STRIPE_SECRET_KEY", "rk_live_restricted")
    with pytest.raises(SettingsError, match="live key"):
        refuse_live_key()


def test_the_example_is_complete_and_loads(tmp_path: Path) -> None:
    example = (ROOT / ".env.example").read_text()
    named = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    assert named == {field.upper() for field in Settings.model_fields}
    (tmp_path / ".env").write_text(re.sub(r"^#([A-Z_]+=)", r"\1", example, flags=re.MULTILINE))
    assert load_settings().credit_price == 25
