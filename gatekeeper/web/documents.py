"""Which prepared TwiML a call gets: the number's or account's own, else the default."""

from __future__ import annotations

import functools
from typing import Final

import structlog

from gatekeeper.domain.route import DropMessage, InvalidDropMessage, InvalidRoute, Route
from gatekeeper.telephony.twiml import answer_twiml, drop_twiml

_CACHED_TEXTS: Final = 4096

log = structlog.get_logger()


class Documents:
    """Turns the texts that the ledger stores into TwiML, each text once.

    A stored text that cannot be read is logged, and the default serves: a caller is on the line.
    """

    def __init__(self, answer_route: Route, drop_message: DropMessage) -> None:
        self.default_answer: Final = answer_twiml(answer_route)
        self.default_drop: Final = drop_twiml(drop_message)

    def answer(self, account_id: str, number_route: str, account_route: str) -> bytes:
        """Pick the document by which an answered call goes on; routes are "" where unset."""
        text = number_route or account_route
        document = _answer(text) if text else self.default_answer
        return document or _instead(self.default_answer, "route", account_id)

    def drop(self, account_id: str, account_message: str) -> bytes:
        """Pick the document that says a call can't be taken."""
        document = _drop(account_message) if account_message else self.default_drop
        return document or _instead(self.default_drop, "drop_message", account_id)


def _instead(default: bytes, what: str, account_id: str) -> bytes:
    log.error("stored_text_unreadable", what=what, account=account_id)
    return default


@functools.lru_cache(_CACHED_TEXTS)
def _answer(text: str) -> bytes | None:
    try:
        return answer_twiml(Route.from_text(text))
    except InvalidRoute:
        return None


@functools.lru_cache(_CACHED_TEXTS)
def _drop(text: str) -> bytes | None:
    try:
        return drop_twiml(DropMessage.from_text(text))
    except InvalidDropMessage:
        return None
