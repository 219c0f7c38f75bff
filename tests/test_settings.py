"""The environment is read in one place, and refused with every problem in one message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekeeper.domain.call import Decision
from gatekeeper.settings import Settings, SettingsError, load_settings, refuse_live_key

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


def test_no_secret_is_ever_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = repr(_load(monkeypatch)) + str(_load(monkeypatch).model_dump())
    assert not [secret for secret in SECRETS if secret in shown]


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert {problem.split(":")[0] for problem in caught.value.problems} == set(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "gate.example.com"),
        ("PUBLIC_URL", "https://gate.example.com/path"),
        ("PUBLIC_URL", "https://gate.example.com:notaport"),
        ("REDIS_URL", "http://redis.example.com"),
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
