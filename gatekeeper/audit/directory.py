"""Whether the directory lists one account as its entries and the ledger have it.

A listing tells all that SQL's entries tell, and more where it was filled from the ledger (see
gatekeeper/relay/directory.py): each fact is as of the place at which it was told, if that is later.
So it must be what the entries up to there made of it. What none of them told, as the name of an
account that is older than such entries, must be what the ledger has, unless an entry between there
and the ledger's reading told something else.

What entries told up to the ledger's reading must also be what the ledger has. They tell of each
change of a name, an address or a suspension since entries tell of them at all. The balance is
audited with the deltas (see domain/account_audit.py); and a failed charge is no incident where
top-offs were off by then, so of incidents only the open ones must be listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from gatekeeper.audit.two_stores import Place
from gatekeeper.domain.account import Account
from gatekeeper.domain.line import Line
from gatekeeper.history.directory_writer import read_listing
from gatekeeper.history.listing import NOWHERE, Fact, Listing, add_entry

#: What is the same in the ledger as in a listing.
_IN_LEDGER: Final = (Fact.NAME, Fact.EMAIL, Fact.SUSPENDED)

_incident_of = attrgetter("incident_id", "incident_at_ms")
_NO_INCIDENT: Final = ("", 0)


class DirectoryAudit:
    """Follows one account's entries, and then holds its row of the directory against them.

    The account was read at `up_to`, SQL has the entries up to `copied`, and those up to `known_to`
    are added; `end` reads how far the log goes by now.
    """

    def __init__(
        self,
        account: Account,
        row: Mapping[str, Any] | None,
        *,
        up_to: Place,
        copied: Place,
        known_to: Place,
        end: Callable[[], Place],
    ) -> None:
        self._account = account
        self._row = row
        self._up_to = up_to
        self._copied = copied
        self._known_to = known_to
        self._end = end
        self._listed = _read(row)
        self._told = Listing(account.id)
        places = () if self._listed is None else self._listed.places.values()
        self._stops = sorted({up_to, copied, *places}, reverse=True)
        self._as_of: dict[Place, Listing] = {}

    def add(self, line: Line) -> None:
        """Take in the next entry."""
        place = line.id_ms, line.id_seq
        while self._stops and place > self._stops[-1]:
            self._pass_stop()
        add_entry(self._told, place, line)

    def differences(self, last_call: tuple[int, int]) -> Iterator[str]:
        """Name what differs, one line each, given between what times the last call began."""
        while self._stops:
            self._pass_stop()
        if self._listed is not None:
            told = ", ".join(self._wrong(self._listed, *last_call))
            if told:
                yield f"is listed in the directory {told}"
        elif self._row is not None:
            yield "is listed in the directory, but its row cannot be read"
        elif self._as_of[self._copied].places:
            yield "has entries in SQL, but is not listed in the directory"
        yield from self._unlike_the_ledger()

    def _pass_stop(self) -> None:
        self._as_of[self._stops.pop()] = replace(self._told, places=dict(self._told.places))

    def _wrong(self, listed: Listing, began_at_ms: int, seen_at_ms: int) -> Iterator[str]:
        for fact in Fact:
            stop = max(listed.places.get(fact, NOWHERE), self._copied)
            if stop <= self._known_to:
                wrong = self._wrong_incident if fact is Fact.INCIDENT else self._wrong_fact
                yield from wrong(listed, self._as_of[stop], fact)
            elif stop > self._end():
                yield f"with {fact} of an entry behind the log's end"
        if not began_at_ms <= listed.last_call_at_ms <= seen_at_ms:
            yield f"with a last call at {listed.last_call_at_ms}, not {began_at_ms}"
        # 0 where the entry that opened it is not in SQL.
        opened_at_ms = self._account.created_at_ms
        if listed.opened_at_ms not in {self._as_of[self._copied].opened_at_ms, opened_at_ms}:
            yield f"as opened at {listed.opened_at_ms}, not {opened_at_ms}"
        if self._row is not None and self._row["name_key"] != listed.name.casefold():
            yield f"under the name {self._row['name_key']!r}, but named {listed.name!r}"

    def _wrong_fact(self, listed: Listing, told: Listing, fact: Fact) -> Iterator[str]:
        if fact in told.places:
            must_be, source = getattr(told, fact), "by its entries"
        elif fact in self._as_of[self._up_to].places:
            return  # told between the listing and the ledger's reading
        else:
            must_be, source = getattr(self._account, fact), "in the ledger"
        if (is_ := getattr(listed, fact)) != must_be:
            yield f"with {fact} {is_!r}, but {source} {must_be!r}"

    def _wrong_incident(self, listed: Listing, told: Listing, fact: Fact) -> Iterator[str]:
        is_, must_be = _incident_of(listed), _incident_of(told)
        told_at = told.places.get(fact, NOWHERE)
        at_reading = self._as_of[self._up_to].places.get(fact, NOWHERE)
        open_id = self._account.incident_id
        # The ledger's incidents are read a moment after its accounts: the time may be another's.
        is_ledgers = listed.places.get(fact, NOWHERE) > told_at and (
            is_ == _NO_INCIDENT or listed.incident_id == told.incident_id != ""
        )
        if open_id and not listed.incident_id and told_at == at_reading:
            yield f"without the incident {open_id}, which is open"
        elif is_ != must_be and not is_ledgers:
            yield f"with incident {is_}, but by its entries {must_be}"

    def _unlike_the_ledger(self) -> Iterator[str]:
        told = self._as_of[self._up_to]
        for fact in _IN_LEDGER:
            must_be, is_ = getattr(told, fact), getattr(self._account, fact)
            if fact in told.places and is_ != must_be:
                yield f"has {fact} {is_!r} in the ledger, but by its entries {must_be!r}"


def last_told(row: Mapping[str, Any]) -> Place:
    """Tell at which place in the log a row of the directory was last told something."""
    listed = _read(row)
    return NOWHERE if listed is None else max(listed.places.values(), default=NOWHERE)


def _read(row: Mapping[str, Any] | None) -> Listing | None:
    try:
        return None if row is None else read_listing(row)
    except ValueError:
        return None
