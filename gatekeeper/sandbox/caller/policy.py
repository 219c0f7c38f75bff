"""How long Twilio waits for a webhook, and what it tries again.

Source: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl

RETRY_REASONS: Final = frozenset({"4xx", "5xx", "ct", "rt", "all"})
_IGNORED_OVERRIDES: Final = frozenset({"sni", "e"})  # TLS and Twilio's edges have no part here


@dataclass(frozen=True, slots=True)
class ConnectionPolicy:
    """Twilio's limits for one webhook; the defaults are Twilio's own.

    `read_timeout_s` is the longest silence once connected; `total_timeout_s` covers everything,
    retries and HTTP redirects included. `retry_on` holds Twilio's words for what is tried again:
    `ct` (no connection), `rt` (no answer in time), `4xx`, `5xx`, `all`.
    """

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 15.0
    total_timeout_s: float = 15.0
    retry_count: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def overridden_by(self, fragment: str) -> "ConnectionPolicy":
        """Return the policy changed by a URL's fragment, such as `rc=2&rp=5xx,rt`.

        Raises ValueError for an override Twilio doesn't know, or a value outside its limits.
        """
        changed = self
        for name, value in parse_qsl(fragment, keep_blank_values=True):
            if name in _IGNORED_OVERRIDES:
                continue
            if name not in _OVERRIDES:
                raise ValueError(f"unknown connection override {name!r}")
            changed = _OVERRIDES[name](changed, value)
        return changed

    def retries(self, reason: str | None) -> bool:
        """Whether a request that failed for `reason` is tried again; None stands for no failure."""
        return reason is not None and ("all" in self.retry_on or reason in self.retry_on)


def _milliseconds(text: str, maximum_ms: int) -> float:
    return _integer(text, 100, maximum_ms) / 1000


def _integer(text: str, minimum: int, maximum: int) -> int:
    if not (text.isascii() and text.isdigit()) or not minimum <= int(text) <= maximum:
        raise ValueError(f"connection override {text!r} is not within {minimum} to {maximum}")
    return int(text)


def _reasons(text: str) -> frozenset[str]:
    reasons = frozenset(text.split(","))
    if not reasons <= RETRY_REASONS:
        raise ValueError(f"unknown retry policy {text!r}")
    return reasons


_OVERRIDES: Final[dict[str, Callable[[ConnectionPolicy, str], ConnectionPolicy]]] = {
    "ct": lambda policy, text: replace(policy, connect_timeout_s=_milliseconds(text, 10_000)),
    "rt": lambda policy, text: replace(policy, read_timeout_s=_milliseconds(text, 15_000)),
    "tt": lambda policy, text: replace(policy, total_timeout_s=_milliseconds(text, 15_000)),
    "rc": lambda policy, text: replace(policy, retry_count=_integer(text, 0, 5)),
    "rp": lambda policy, text: replace(policy, retry_on=_reasons(text)),
}
