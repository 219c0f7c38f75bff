"""Entries as a store holds them, for what reads all of them."""

from __future__ import annotations

from typing import NamedTuple


class Line(NamedTuple):
    """An entry as a store holds it: of whatever type, and cheap to make by the million.

    The fields are those of `gatekeeper.domain.entry.Entry`, with the id in its two parts.
    """

    account_id: str
    id_ms: int
    id_seq: int
    at_ms: int
    type: str
    allotment_delta: int
    purchased_delta: int
    allotment: int
    purchased: int
    ref: str
    cause: str
    number: str
    detail: str
    direction: str

    @property
    def id(self) -> str:
        """The id as the log has it."""
        return f"{self.id_ms}-{self.id_seq}"
