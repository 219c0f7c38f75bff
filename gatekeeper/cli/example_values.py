"""Settings that still are what `.env.example` has: a deployment with one of them reaches nobody."""

from __future__ import annotations

import re
from typing import Final

from pydantic import SecretStr

from gatekeeper.settings import Settings

#: Everything in `.env.example` that stands for something of one's own.
_EXAMPLE: Final = re.compile(
    r"fill-?me-?in"
    r"|^AC0{32}$"
    r"|//(?:gatekeeper|your-receptionist)\.example\.com"
    r"|@(?:mail\.)?example\.com\b",
    re.IGNORECASE,
)


def example_names(settings: Settings) -> list[str]:
    """List the variables whose values were copied from `.env.example` and never filled in."""
    return [
        field.upper()
        for field in type(settings).model_fields
        if _EXAMPLE.search(_text(getattr(settings, field)))
    ]


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
