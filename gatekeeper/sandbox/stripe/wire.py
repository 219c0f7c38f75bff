"""A request as it came in, and what goes back."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `is_gone` tells whether the client has hung up since."""

    method: str
    path: str
    query: str
    headers: Message  # whose names may be written in any case
    body: bytes
    is_gone: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Unanswered(Exception):
    """The connection is to be closed without an answer, with a TCP reset if `reset`."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__("closed without an answer")
        self.reset = reset


def json_reply(
    value: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Reply:
    """Build an answer from a JSON value."""
    return Reply(status, json.dumps(value, indent=2).encode(), headers or {})
