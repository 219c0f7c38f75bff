"""One account's entries, as SQL and the log hold them, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from gatekeeper.domain.line import Line

Place = tuple[int, int]
#: An entry as SQL and as the log has it; None where one lacks it.
Pair = tuple[Line | None, Line | None]


def side_by_side(in_sql: Iterator[Line], in_log: Iterator[Line]) -> Iterator[Pair]:
    """Bring together what two stores have of each entry, in the order of the log."""
    stored, logged = next(in_sql, None), next(in_log, None)
    while stored is not None and logged is not None:
        ahead = (stored.id_ms, stored.id_seq), (logged.id_ms, logged.id_seq)
        if ahead[0] == ahead[1]:
            yield stored, logged
            stored, logged = next(in_sql, None), next(in_log, None)
        elif ahead[0] < ahead[1]:
            yield stored, None
            stored = next(in_sql, None)
        else:
            yield None, logged
            logged = next(in_log, None)
    if stored is not None:
        yield stored, None
        yield from ((line, None) for line in in_sql)
    if logged is not None:
        yield None, logged
        yield from ((None, line) for line in in_log)


@dataclass(slots=True)
class _Missing:
    """Entries, one behind another, that a store lacks."""

    what: str
    first: str = ""
    last: str = ""
    count: int = 0

    def add(self, line: Line) -> None:
        self.first = self.first or line.id
        self.last = line.id
        self.count += 1

    def __str__(self) -> str:
        if self.count == 1:
            return f"entry {self.first} {self.what}"
        return f"{self.count} entries from {self.first} to {self.last} each {self.what}"


@dataclass(slots=True)
class StoresAudit:
    """Holds one account's entries in SQL and in the log against each other.

    SQL has all entries up to `copied`, and none behind. The log was read from `log_from` to
    `log_to` without anything trimmed from it meanwhile; None if it was empty.
    """

    copied: Place
    log_from: Place | None
    log_to: Place
    stored: int = 0
    logged_behind: int = 0
    _problems: list[str | _Missing] = field(default_factory=list)

    def add(self, in_sql: Line | None, in_log: Line | None) -> None:
        """Take in the next entry."""
        if in_sql is None:
            if in_log is not None:
                self._add_logged(in_log)
            return
        self.stored += 1
        if in_log is None:
            self._add_stored(in_sql)
        elif in_sql != in_log:
            self._problems.append(_difference(in_sql, in_log))

    def differences(self) -> list[str]:
        """Name what differs, one line each."""
        return [str(problem) for problem in self._problems]

    def _add_logged(self, line: Line) -> None:
        if (line.id_ms, line.id_seq) > self.copied:
            self.logged_behind += 1
        else:
            self._note_missing("is in the log, but not in SQL", line)

    def _add_stored(self, line: Line) -> None:
        place = (line.id_ms, line.id_seq)
        if place > self.copied:
            self._note_missing("is in SQL, but its log has not been copied so far", line)
        elif self.log_from is not None and self.log_from <= place <= self.log_to:
            self._note_missing("is in SQL, but not in the log, which still goes back to it", line)

    def _note_missing(self, what: str, line: Line) -> None:
        last = self._problems[-1] if self._problems else None
        if not isinstance(last, _Missing) or last.what != what:
            last = _Missing(what)
            self._problems.append(last)
        last.add(line)


def _difference(in_sql: Line, in_log: Line) -> str:
    told = (
        f"{name} {logged!r} in the log and {stored!r} in SQL"
        for name, stored, logged in zip_longest(Line._fields, in_sql, in_log)
        if stored != logged
    )
    return f"entry {in_sql.id} has {', '.join(told)}"
