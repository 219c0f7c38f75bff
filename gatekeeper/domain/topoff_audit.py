"""Whether top-offs and their entries agree: one in flight, credits once for each charge (R7)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from gatekeeper.domain.line import Line
from gatekeeper.domain.topoff import Topoff, TopoffState


class TopoffAudit:
    """Follows the entries of one account's top-offs; tells `report` what cannot be."""

    def __init__(self, report: Callable[[str], object]) -> None:
        self._report = report
        self._requested: dict[str, int] = {}  # when, in ms of the log's clock
        self._unresolved: set[str] = set()
        self._failed: set[str] = set()
        self._canceled: set[str] = set()
        self._ended: set[str] = set()  # incidents
        self._credited: dict[str, Line] = {}
        self._paid_by: dict[str, str] = {}
        self._requested_then: frozenset[str] = frozenset()
        self._unresolved_then: frozenset[str] = frozenset()
        self._canceled_then: frozenset[str] = frozenset()

    @property
    def credited(self) -> Collection[str]:
        """The ids of those that were credited."""
        return self._credited.keys()

    def request(self, line: Line) -> None:
        """Take in a request."""
        if line.ref in self._requested:
            self._report(f"top-off {line.ref} was requested twice")
        self._requested[line.ref] = line.id_ms
        self._unresolved.add(line.ref)

    def succeed(self, line: Line) -> None:
        """Take in credits."""
        self._resolve(line.ref)
        if line.ref in self._credited:
            self._report(f"top-off {line.ref} was credited twice")
        elif line.cause in self._paid_by:
            self._report(
                f"top-off {line.ref} was credited for {line.cause}, which had paid"
                f" {self._paid_by[line.cause]}"
            )
        self._credited[line.ref] = line
        self._paid_by[line.cause] = line.ref

    def fail(self, line: Line) -> None:
        """Take in a failure."""
        self._resolve(line.ref)
        self._failed.add(line.ref)

    def cancel(self, line: Line) -> None:
        """Take in that it was canceled, with nothing charged."""
        self._resolve(line.ref)
        if line.ref in self._canceled:
            self._report(f"top-off {line.ref} was canceled twice")
        self._canceled.add(line.ref)

    def end_incident(self, line: Line) -> None:
        """Take in the end of an incident, which has the id of the top-off that failed."""
        if line.ref not in self._failed:
            self._report(f"incident {line.ref} was resolved, but no such top-off had failed")
        if line.ref in self._ended:
            self._report(f"incident {line.ref} was resolved twice")
        self._ended.add(line.ref)

    def pass_reading(self) -> None:
        """Note how things stood when the account was read."""
        self._requested_then = frozenset(self._requested)
        self._unresolved_then = frozenset(self._unresolved)
        self._canceled_then = frozenset(self._canceled)

    def differences(
        self,
        current: str,
        topoffs: Mapping[str, Topoff | None],
        *,
        owed: Collection[str],
        kept_since_ms: int,
    ) -> Iterator[str]:
        """Name what differs; `current` is in flight by the account. See AccountAudit."""
        yield from self._in_flight(current, topoffs)
        yield from self._missing(current, topoffs, kept_since_ms)
        for topoff_id, topoff in sorted(topoffs.items()):
            if topoff_id not in self._requested:
                yield f"top-off {topoff_id} has a record, but no entry says it was requested"
            if topoff is None:
                yield f"top-off {topoff_id} has a record that cannot be read"
                continue
            if topoff.state.in_flight and topoff_id not in owed:
                yield f"top-off {topoff_id} is {topoff.state}, but no charge is owed for it"
            if topoff_id in self._canceled_then and topoff.state is not TopoffState.CANCELED:
                yield f"top-off {topoff_id} was canceled, but it is {topoff.state}"
            yield from self._paid(topoff)

    def _resolve(self, topoff_id: str) -> None:
        self._unresolved.discard(topoff_id)
        if topoff_id not in self._requested:
            self._report(f"top-off {topoff_id} was never requested")

    def _in_flight(self, current: str, topoffs: Mapping[str, Topoff | None]) -> Iterator[str]:
        if current and current not in self._unresolved_then:
            yield f"top-off {current} is in flight, but no entry says so"
        # Of one that was canceled before there were entries of it, its record tells.
        for topoff_id in sorted(self._unresolved_then - {current}):
            topoff = topoffs.get(topoff_id)
            if topoff is not None and topoff.state is not TopoffState.CANCELED:
                beside = f"beside {current}" if current else "but the account has none in flight"
                yield f"top-off {topoff_id} is {topoff.state}, {beside}"

    def _missing(
        self, current: str, topoffs: Mapping[str, Topoff | None], kept_since_ms: int
    ) -> Iterator[str]:
        if current and current not in topoffs:
            yield f"top-off {current} is in flight, but has no record"
        for topoff_id in sorted(self._requested_then - topoffs.keys() - {current}):
            if self._requested[topoff_id] >= kept_since_ms:
                yield f"top-off {topoff_id} has no record, but it must still be kept"

    def _paid(self, topoff: Topoff) -> Iterator[str]:
        credited = self._credited.get(topoff.id)
        if topoff.amount_minor is not None and topoff.amount_minor % max(1, topoff.credits):
            yield (
                f"top-off {topoff.id} of {topoff.credits} costs {topoff.amount_minor}, which is no"
                " multiple of a credit's price"
            )
        if topoff.state is not TopoffState.SUCCEEDED:
            if credited is not None:
                yield f"top-off {topoff.id} was credited, but it is {topoff.state}"
        elif credited is None:
            yield f"top-off {topoff.id} succeeded, but it was not credited"
        elif (credited.allotment_delta, credited.purchased_delta) != (0, topoff.credits):
            given = credited.allotment_delta + credited.purchased_delta
            yield f"top-off {topoff.id} of {topoff.credits} was credited with {given}"
        elif credited.cause != topoff.payment_intent:
            yield (
                f"top-off {topoff.id} was paid by {topoff.payment_intent}, but credited for"
                f" {credited.cause}"
            )
