"""What the directory tells of an account, put together from the account's entries.

Each fact remembers the place in the log at which it was told, and only what was told at a later
place replaces it: so a listing comes out the same whatever the order in which entries are added,
and what was read from the ledger itself is one more thing told, at the place of the log's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.change import Change, read_detail
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.line import Line

#: An entry's place in its shard's log, as `entry_position` reads it from the entry's id.
Place = tuple[int, int]
NOWHERE: Final[Place] = (0, 0)


class Fact(StrEnum):
    """What is told, and replaced, as one."""

    BALANCE = "balance"
    NAME = "name"
    EMAIL = "email"
    INCIDENT = "incident"
    SUSPENDED = "suspended"

    @property
    def fields(self) -> tuple[str, ...]:
        """Where a listing has it."""
        return ("incident_id", "incident_at_ms") if self is Fact.INCIDENT else (self.value,)


@dataclass(slots=True)
class Listing:
    """One account. "" and 0 are what is not known, or was never.

    `balance` is what the newest entry left, in credits. `incident_id` is the top-off that failed
    last, if nothing shows that it was put right: a failure that opened no incident, as after auto
    top-off was switched off, is one too until the next top-off succeeds. The ledger knows.
    """

    account_id: str
    name: str = ""
    email: str = ""
    opened_at_ms: int = 0
    last_call_at_ms: int = 0
    balance: int = 0
    incident_id: str = ""
    incident_at_ms: int = 0
    suspended: bool = False
    places: dict[Fact, Place] = field(default_factory=dict)

    def learn(self, fact: Fact, place: Place, **values: Any) -> None:
        """Take over what was told at a place, unless what is known was told later."""
        if place >= self.places.get(fact, NOWHERE):
            self.places[fact] = place
            for name, value in values.items():
                setattr(self, name, value)

    def merge(self, other: Listing) -> None:
        """Take over what another listing of the account was told later."""
        self.note_call(other.last_call_at_ms)
        self.note_opened(other.opened_at_ms)
        for fact, place in other.places.items():
            self.learn(fact, place, **{name: getattr(other, name) for name in fact.fields})

    def note_call(self, at_ms: int) -> None:
        """Note when a call began."""
        self.last_call_at_ms = max(self.last_call_at_ms, at_ms)

    def note_opened(self, at_ms: int) -> None:
        """Note when the account was opened."""
        self.opened_at_ms = max(self.opened_at_ms, at_ms)


def add_entry(listing: Listing, place: Place, entry: Entry | Line) -> None:
    """Add what the entry at a place tells of its account.

    Of calls only what was decided counts: when one began that is known by its end alone would
    depend on what comes later.
    """
    listing.learn(Fact.BALANCE, place, balance=entry.allotment + entry.purchased)
    match entry.type:
        case EntryType.CALL_DEBITED | EntryType.CALL_DROPPED:
            listing.note_call(entry.at_ms)
        case EntryType.ACCOUNT_OPENED:
            listing.note_opened(entry.at_ms)
            _describe(listing, entry, place)
        case EntryType.ACCOUNT_CHANGED:
            _change(listing, entry, place)
        case EntryType.TOPOFF_FAILED:
            listing.learn(Fact.INCIDENT, place, incident_id=entry.ref, incident_at_ms=entry.at_ms)
        case EntryType.TOPOFF_SUCCEEDED | EntryType.INCIDENT_RESOLVED:
            listing.learn(Fact.INCIDENT, place, incident_id="", incident_at_ms=0)


def _change(listing: Listing, entry: Entry | Line, place: Place) -> None:
    match entry.cause:
        case Change.DESCRIBED:
            _describe(listing, entry, place)
        case Change.SUSPENDED:
            listing.learn(Fact.SUSPENDED, place, suspended=True)
        case Change.UNSUSPENDED:
            listing.learn(Fact.SUSPENDED, place, suspended=False)


def _describe(listing: Listing, entry: Entry | Line, place: Place) -> None:
    told = read_detail(entry.detail)
    for fact in (Fact.NAME, Fact.EMAIL):
        text = told.text(fact)
        # The ledger's names are printable. PostgreSQL could not store some that are not, and one
        # entry that cannot be stored would hold up all that follow.
        if text is not None and text.isprintable():
            listing.learn(fact, place, **{fact.value: text})


def write_places(places: Mapping[Fact, Place]) -> str:
    """Write the places of all facts, in their order."""
    found = (places.get(fact, NOWHERE) for fact in Fact)
    return " ".join(f"{ms:d}-{seq:d}" for ms, seq in found)


def read_places(text: str) -> dict[Fact, Place]:
    """Read what `write_places` wrote."""
    return dict(_read_places(text))


def _read_places(text: str) -> Iterator[tuple[Fact, Place]]:
    for fact, place in zip(Fact, text.split(" "), strict=True):
        if (found := entry_position(place)) > NOWHERE:
            yield fact, found
