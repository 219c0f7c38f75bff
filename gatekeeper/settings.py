"""The only reader of the environment. Refuses what it cannot understand, all problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatekeeper.domain.call import Decision
from gatekeeper.domain.route import DEFAULT_DROP_MESSAGE, DropMessage, Route
from gatekeeper.mail.compose import SenderIdentity
from gatekeeper.mail.smtp import SmtpRelay
from gatekeeper.telephony.signature import parse_tokens

MAX_PRICE_MINOR = 1_000_000


class SettingsError(Exception):
    """The environment cannot be used. Names variables, never their values."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("the configuration cannot be used:\n  " + "\n  ".join(problems))


def _secret_of_shape(pattern: str, hint: str) -> AfterValidator:
    shape = re.compile(pattern)

    def check(secret: SecretStr) -> SecretStr:
        if not shape.fullmatch(secret.get_secret_value()):
            raise ValueError(hint)
        return secret

    return AfterValidator(check)


def _url(*schemes: str, bare: bool = False) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(secret.get_secret_value())
            usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"must be a URL that starts with {' or '.join(schemes)}://")
        if bare and (parts.path not in ("", "/") or parts.query or parts.fragment):
            raise ValueError("must be an origin alone: scheme, host and port, without a path")
        return secret

    return AfterValidator(check)


def _readable(read: Callable[[str], object]) -> AfterValidator:
    """Let the room that will use a value say whether it can; it raises ValueError if not."""

    def check(value: str | SecretStr) -> str | SecretStr:
        read(value.get_secret_value() if isinstance(value, SecretStr) else value)
        return value

    return AfterValidator(check)


def _check_support_email(text: str) -> None:
    SenderIdentity("any@example.com", "any", support_email=text)


_ANY_ACCOUNT_SID = "AC" + 32 * "0"
_RedisUrl = Annotated[SecretStr, _url("redis", "rediss")]
_Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Settings(BaseSettings):
    """Everything that a deployment chooses. Each field is the variable of the same name.

    URLs are kept as secrets where they may hold a password.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        frozen=True,
    )

    public_url: Annotated[SecretStr, _url("https", "http", bare=True)]
    redis_url: _RedisUrl
    queue_redis_url: _RedisUrl | None = None

    twilio_account_sid: str = Field(pattern=r"^AC[0-9a-f]{32}$")
    twilio_auth_token: Annotated[
        SecretStr, _readable(lambda text: parse_tokens(text, _ANY_ACCOUNT_SID))
    ]

    stripe_secret_key: Annotated[
        SecretStr, _secret_of_shape(r"(sk|rk)_(test|live)_\w+", "must be a Stripe secret key")
    ]
    stripe_webhook_secret: Annotated[
        SecretStr,
        _secret_of_shape(
            r"whsec_\w+(,\s*whsec_\w+)*", "must be one signing secret, or two with a comma between"
        ),
    ]
    stripe_api_base: Annotated[SecretStr, _url("https", "http", bare=True)] = SecretStr(
        "https://api.stripe.com"
    )

    smtp_url: Annotated[SecretStr, _readable(SmtpRelay.from_url)]
    mail_from: Annotated[str, _readable(lambda text: SenderIdentity(text, "any"))]
    product_name: _Name = "AI Receptionist"
    support_email: Annotated[str, _readable(_check_support_email)] | None = None

    credit_price: int = Field(ge=1, le=MAX_PRICE_MINOR)
    currency: str = Field(default="usd", pattern=r"^[a-z]{3}$")

    answer_url: Annotated[str, _readable(Route.parse)]
    drop_message: Annotated[str, _readable(DropMessage)] = DEFAULT_DROP_MESSAGE.text
    drop_language: Annotated[str, _readable(lambda tag: DropMessage("any", language=tag))] = (
        DEFAULT_DROP_MESSAGE.language
    )
    drop_voice: Annotated[str, _readable(lambda name: DropMessage("any", voice=name))] = (
        DEFAULT_DROP_MESSAGE.voice
    )
    ledger_down_policy: Decision = Decision.ANSWER

    shards: int = Field(default=1, ge=1, le=1024)
    owed_lease_s: float = Field(default=15.0, gt=0, le=3600)

    port: int = Field(default=8000, ge=1, le=65535)
    web_host: str = "0.0.0.0"  # noqa: S104 - a PaaS routes to every interface
    web_workers: int = Field(default=1, ge=1, le=64)
    web_threads: int = Field(default=4, ge=1, le=256)

    ops_username: str | None = None
    ops_password: SecretStr | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems: list[str] = []
        if (self.ops_username is None) != (self.ops_password is None):
            problems.append("OPS_USERNAME, OPS_PASSWORD: set both, or neither")
        if self.is_live and self.stripe_api_base.get_secret_value() != "https://api.stripe.com":
            problems.append("STRIPE_API_BASE: a live STRIPE_SECRET_KEY is only sent to Stripe")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def is_live(self) -> bool:
        """Whether real cards are charged."""
        return _is_live(self.stripe_secret_key)

    @property
    def twilio_tokens(self) -> dict[str, tuple[str, ...]]:
        """The auth tokens accepted for each AccountSid."""
        return parse_tokens(self.twilio_auth_token.get_secret_value(), self.twilio_account_sid)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Stripe's signing secrets; two during a rotation."""
        text = self.stripe_webhook_secret.get_secret_value()
        return tuple(secret.strip() for secret in text.split(","))

    @property
    def public_origin(self) -> str:
        """The origin that Twilio and browsers see, without a trailing slash."""
        return self.public_url.get_secret_value().rstrip("/")

    @property
    def answer_route(self) -> Route:
        """Where an answered call goes when neither its number nor its account says."""
        return Route.parse(self.answer_url)

    @property
    def spoken_drop_message(self) -> DropMessage:
        """What a dropped caller hears when the account has no message of its own."""
        return DropMessage(self.drop_message, self.drop_language, self.drop_voice)

    @property
    def smtp_relay(self) -> SmtpRelay:
        """Where e-mail is handed over."""
        return SmtpRelay.from_url(self.smtp_url.get_secret_value())

    @property
    def sender(self) -> SenderIdentity:
        """In whose name e-mail is sent."""
        return SenderIdentity(
            mail_from=self.mail_from,
            product_name=self.product_name,
            support_email=self.support_email,
        )

    @property
    def jobs_redis_url(self) -> str:
        """Where RQ keeps its queues: the ledger's Redis unless told otherwise."""
        return (self.queue_redis_url or self.redis_url).get_secret_value()


class _StripeKeyAlone(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="ignore", hide_input_in_errors=True)

    stripe_secret_key: SecretStr = SecretStr("")


def refuse_live_key() -> None:
    """Raise SettingsError when a live Stripe key is set: the sandbox never runs beside one."""
    if _is_live(_StripeKeyAlone().stripe_secret_key):
        raise SettingsError(["STRIPE_SECRET_KEY: the sandbox does not run beside a live key"])


def _is_live(key: SecretStr) -> bool:
    return key.get_secret_value()[:8] in ("sk_live_", "rk_live_")


def load_settings(**overrides: Any) -> Settings:
    """Read the environment, and `.env` where it says nothing. Raises SettingsError."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = [
            line
            for item in error.errors(include_input=False, include_context=False)
            for line in _explain(item["loc"], item["msg"], item["type"])
        ]
        raise SettingsError(sorted(problems)) from None


def _explain(location: tuple[int | str, ...], message: str, kind: str) -> list[str]:
    text = message.removeprefix("Value error, ")
    if not location:  # from _check_together: named already, one problem a line
        return text.split("\n")
    name = str(location[0]).upper()
    return [f"{name}: is not set" if kind == "missing" else f"{name}: {text}"]
