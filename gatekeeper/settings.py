"""The only reader of the environment. Refuses what it cannot understand, all problems at once."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatekeeper.domain.call import Decision
from gatekeeper.domain.email_address import normalize_email
from gatekeeper.domain.route import DEFAULT_DROP_MESSAGE, DropMessage, Route
from gatekeeper.domain.subscription import Plans, parse_plans
from gatekeeper.history.call import HUNG_UP_BELOW_S
from gatekeeper.history.engine import parse_database_url
from gatekeeper.ledger.client import check_redis_url
from gatekeeper.mail.compose import SenderIdentity
from gatekeeper.mail.smtp import SmtpRelay
from gatekeeper.telephony.signature import SignatureChecker, parse_tokens

MAX_PRICE_MINOR = 1_000_000
_ENV_FILE: Final = ".env"


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


def _read_emails(text: str) -> frozenset[str]:
    try:
        return frozenset(map(normalize_email, text.split(",") if text else ()))
    except ValueError:
        raise ValueError("must be e-mail addresses with commas between") from None


def _check_bind_host(text: str) -> None:
    with suppress(ValueError):
        ipaddress.ip_address(text)
        return
    if not _HOST_NAME.fullmatch(text):
        raise ValueError("must be an IP address or a host name, without a port")


#: The last label begins with a letter: four numbers that are no address are no name either.
_HOST_NAME: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE
)
_Keys = Annotated[
    SecretStr,
    _secret_of_shape(
        r"[^\s,]{32,}(,\s*[^\s,]{32,})*",
        "must be 32 characters or more without spaces, or two such with a comma between",
    ),
]
_ANY_ACCOUNT_SID: Final = "AC" + 32 * "0"
_RedisUrl = Annotated[SecretStr, _url("redis", "rediss"), _readable(check_redis_url)]


def _whole(least: int, most: int) -> Any:
    """Make the field of a whole number; what it must be is told to whoever set another value."""
    return Field(ge=least, le=most, description=f"must be a whole number from {least} to {most}")


class Settings(BaseSettings):
    """Everything that a deployment chooses. Each field is the variable of the same name.

    URLs are kept as secrets where they may hold a password. A field's description says what it
    must be, where pydantic's own words would not help.
    """

    model_config = SettingsConfigDict(
        env_file=_ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        frozen=True,
    )

    public_url: Annotated[
        SecretStr,
        _url("https", "http", bare=True),
        _readable(lambda url: SignatureChecker(url, {})),
    ]
    redis_url: _RedisUrl
    queue_redis_url: _RedisUrl | None = None
    database_url: Annotated[SecretStr, _readable(parse_database_url)] = SecretStr(
        "sqlite:///gatekeeper.sqlite3"
    )

    twilio_account_sid: str = Field(
        pattern=r"^AC[0-9a-f]{32}$", description="must be AC and 32 hex digits"
    )
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
    product_name: str = Field(
        default="AI Receptionist",
        pattern=r"^[^\p{C}\p{Zl}\p{Zp}]{1,80}$",
        description="must be 1 to 80 printable characters",
    )
    support_email: Annotated[str, _readable(_check_support_email)] | None = None
    logo_url: str | None = Field(
        default=None,
        pattern=r"^(https://[A-Za-z0-9.:-]+)?/[\w.~%-][\w.~%/?=&+-]*$",
        description="must be an https URL, or a path such as /logo.svg",
    )
    accent_color: str = Field(
        default="#2456d6",
        pattern=r"^#[0-9a-fA-F]{6}$",
        description="must be # and 6 hex digits, such as #2456d6",
    )
    frame_ancestors: str = Field(
        default="",
        pattern=r"^(https://[a-zA-Z0-9.:-]+(,\s*https://[a-zA-Z0-9.:-]+)*)?$",
        description="must be origins such as https://app.example.com, with commas between",
    )

    credit_price: int = Field(
        ge=1,
        le=MAX_PRICE_MINOR,
        description="must be a whole number of the currency's smallest unit, such as 25 for $0.25",
    )
    currency: str = Field(
        default="usd",
        pattern=r"^[a-z]{3}$",
        description="must be three lower-case letters, such as usd",
    )

    plans: Annotated[str, _readable(parse_plans)] = ""
    past_due_keeps_allotment: bool = Field(default=True, description="must be true or false")

    answer_url: Annotated[str, _readable(Route.parse)]
    drop_message: Annotated[str, _readable(DropMessage)] = DEFAULT_DROP_MESSAGE.text
    drop_language: Annotated[str, _readable(lambda tag: DropMessage("any", language=tag))] = (
        DEFAULT_DROP_MESSAGE.language
    )
    drop_voice: Annotated[str, _readable(lambda name: DropMessage("any", voice=name))] = (
        DEFAULT_DROP_MESSAGE.voice
    )
    ledger_down_policy: Decision = Field(
        default=Decision.ANSWER, description="must be answer or drop"
    )

    shards: Annotated[int, _whole(1, 1024)] = 1
    owed_lease_s: float = Field(
        default=15.0, ge=0.1, le=3600, description="must be a number of seconds from 0.1 to 3600"
    )
    log_kept_s: Annotated[int, _whole(60, 31_536_000)] = 86_400
    hung_up_below_s: Annotated[int, _whole(1, 60)] = HUNG_UP_BELOW_S

    port: Annotated[int, _whole(1, 65535)] = 8000
    web_host: Annotated[str, _readable(_check_bind_host)] = "0.0.0.0"  # noqa: S104 - a PaaS routes to every interface
    web_workers: Annotated[int, _whole(1, 64)] = 1
    web_threads: Annotated[int, _whole(1, 256)] = 4

    trusted_proxies: Annotated[int, _whole(0, 5)] = 1

    secret_key: _Keys | None = None
    admin_emails: Annotated[str, _readable(_read_emails)] = ""
    sso_secret: _Keys | None = None

    ops_username: str | None = Field(
        default=None,
        pattern=r"^[^:\p{C}]+$",
        description="must be printable characters without a colon",
    )
    ops_password: SecretStr | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        problems: list[str] = []
        if (self.ops_username is None) != (self.ops_password is None):
            problems.append("OPS_USERNAME, OPS_PASSWORD: set both, or neither")
        if self.secret_key is None and (self.admins or self.sso_secret is not None):
            problems.append("SECRET_KEY: is needed for ADMIN_EMAILS and SSO_SECRET")
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
        return _split(self.stripe_webhook_secret)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """What links, forms and cookies are signed with, the newest last; () without the portal."""
        return _split(self.secret_key)

    @property
    def sso_secrets(self) -> tuple[str, ...]:
        """What the product's own site signs tokens with; () when it signs nobody in."""
        return _split(self.sso_secret)

    @property
    def admins(self) -> frozenset[str]:
        """The addresses of those who may see every account."""
        return _read_emails(self.admin_emails)

    @property
    def framing_origins(self) -> tuple[str, ...]:
        """The sites that may show the portal in a frame."""
        return tuple(one.strip() for one in self.frame_ancestors.split(",") if one)

    @property
    def public_origin(self) -> str:
        """The origin that Twilio and browsers see, without a trailing slash."""
        return self.public_url.get_secret_value().rstrip("/")

    @property
    def stripe_plans(self) -> Plans:
        """What the prices of subscriptions stand for."""
        return Plans(parse_plans(self.plans), self.past_due_keeps_allotment)

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
            portal_url=self.public_origin if self.secret_keys else None,
        )

    @property
    def jobs_redis_url(self) -> str:
        """Where RQ keeps its queues: the ledger's Redis unless told otherwise."""
        return (self.queue_redis_url or self.redis_url).get_secret_value()


class _StripeKeyAlone(BaseSettings):
    model_config = SettingsConfigDict(env_file=_ENV_FILE, extra="ignore", hide_input_in_errors=True)

    stripe_secret_key: SecretStr = SecretStr("")


def refuse_live_key() -> None:
    """Raise SettingsError when a live Stripe key is set: the sandbox never runs beside one."""
    if _is_live(_StripeKeyAlone().stripe_secret_key):
        raise SettingsError(["STRIPE_SECRET_KEY: the sandbox does not run beside a live key"])


def _is_live(key: SecretStr) -> bool:
    return key.get_secret_value()[:8] in ("sk_live_", "rk_live_")


def _split(secret: SecretStr | None) -> tuple[str, ...]:
    text = "" if secret is None else secret.get_secret_value()
    return tuple(one.strip() for one in text.split(",") if one)


def load_settings(**overrides: Any) -> Settings:
    """Read the environment, and `.env` where it says nothing. Raises SettingsError."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = _problems(error)
    except UnicodeDecodeError:
        problems = [f"{_ENV_FILE}: is not UTF-8"]
    raise SettingsError(problems)


def misspelt_names() -> dict[str, str]:
    """Find names in `.env` that no setting has, each with the setting that it resembles."""
    if not Path(_ENV_FILE).is_file():
        return {}
    known = [field.upper() for field in Settings.model_fields]
    unknown = {name for name in dotenv_values(_ENV_FILE) if name.upper() not in known}
    close = {name: get_close_matches(name.upper(), known, n=1, cutoff=0.8) for name in unknown}
    return {name: matches[0] for name, matches in close.items() if matches}


def _problems(error: ValidationError) -> list[str]:
    problems: list[str] = []
    missing: set[str] = set()
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        if not item["loc"]:  # from _check_together: named already, one problem a line
            problems += item["msg"].removeprefix("Value error, ").split("\n")
        elif item["type"] == "missing":
            missing.add(str(item["loc"][0]).upper())
        else:
            problems.append(_explain(str(item["loc"][0]), item["msg"], item["type"]))
    return sorted(problems + _explain_missing(missing))


def _explain(field: str, message: str, kind: str) -> str:
    said_here = message.removeprefix("Value error, ") if kind == "value_error" else None
    description = Settings.model_fields[field].description
    return f"{field.upper()}: {said_here or description or message}"


def _explain_missing(names: set[str]) -> list[str]:
    meant = {setting: name for name, setting in misspelt_names().items()}
    problems = [
        f"{name}: is not set" + (f"; {_ENV_FILE} has {meant[name]}" if name in meant else "")
        for name in names
    ]
    required = {
        name.upper() for name, field in Settings.model_fields.items() if field.is_required()
    }
    if names == required and not Path(_ENV_FILE).is_file():
        problems.append(
            f"{_ENV_FILE}: there is none in this folder;"
            f" copy .env.example to {_ENV_FILE} and fill it in"
        )
    return problems
