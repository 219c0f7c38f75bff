"""What must have come out of the demo, beside what did."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from dataclasses import dataclass
from typing import Any

from gatekeeper.audit import audit_ledger
from gatekeeper.cli.demo.story import Story
from gatekeeper.domain.entry import EntryType
from gatekeeper.history.usage import usage_by_outcome
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.sandbox.caller import Rejected

_NAMES = ("calls", "answered", "dropped", "credits taken", "usage in SQL", "balance", "e-mails")
#: Of each customer in turn. Credits taken are those that stayed taken.
_MUST_BE = (
    (13, 13, 0, 12, 12, 10 + 20 - 12 - 10, 2),
    (12, 8, 4, 8, 8, 0, 2),
    (15, 11, 4, 11, 11, 6 + 15 - 11, 3),
    (4, 4, 0, 4, 4, 5 - 2, 0),
    (5, 3, 2, 3, 3, 0, 2),
)
_CHARGES = (2, (20 + 15) * 25)


@dataclass(frozen=True, slots=True)
class Sum:
    """One line of the reckoning."""

    what: str
    must_be: object
    is_: object

    @property
    def agrees(self) -> bool:
        """Whether it came out right."""
        return self.must_be == self.is_


def reckon(story: Story) -> list[Sum]:
    """Compare callers, ledger, Stripe and mailbox with the story."""
    mail = _mail(story)
    sums: list[Sum] = []
    for customer, must in zip(story.customers, _MUST_BE, strict=True):
        entries = list(story.parts.ledger.log.entries(customer.account_id))
        kinds = Counter(entry.type for entry in entries)
        taken = kinds[EntryType.CALL_DEBITED] - kinds[EntryType.CALL_RELEASED]
        received = [m for m in mail if customer.email in m["recipients"]]
        seen = (
            len(customer.calls),
            customer.answered,
            customer.dropped,
            taken,
            usage_by_outcome(story.parts.history, customer.account_id, 0, wall_clock_ms()).credits,
            story.parts.ledger.accounts.account(customer.account_id).balance,
            len(received),
        )
        sums += [
            Sum(f"{customer.name}: {name}", want, is_)
            for name, want, is_ in zip(_NAMES, must, seen, strict=True)
        ]
    return sums + _overall(story, mail)


def _overall(story: Story, mail: list[dict[str, Any]]) -> list[Sum]:
    parts, charges = story.parts, story.stack.control.charges()
    every_call = [call for customer in story.customers for call in customer.calls]
    entries = [
        entry
        for customer in story.customers
        for entry in parts.ledger.log.entries(customer.account_id)
    ]
    decided = Counter(
        entry.ref
        for entry in entries
        if entry.type in (EntryType.CALL_DEBITED, EntryType.CALL_DROPPED)
    )
    credited = sum(e.purchased_delta for e in entries if e.type is EntryType.TOPOFF_SUCCEEDED)
    clawed_back = -sum(
        e.purchased_delta for e in entries if e.type is EntryType.CREDITS_CLAWED_BACK
    )
    refused = sum(isinstance(call.outcome, Rejected) for call in story.stray_calls)
    return [
        Sum("Cards charged", _CHARGES[0], charges["succeeded"]),
        Sum("Money charged, cents", _CHARGES[1], charges["succeeded_minor"]),
        Sum("Charges declined", 2, charges["failed"]),
        Sum("Credits from charges", 20 + 15, credited),
        Sum("Credits taken back for a refund", 20 // 2, clawed_back),
        Sum("Months that began", 1, sum(e.type is EntryType.CYCLE_STARTED for e in entries)),
        Sum("Calls decided more than once", 0, sum(n > 1 for n in decided.values())),
        Sum("Calls decided", len(every_call), len(decided)),
        Sum("Repeats answered otherwise", 0, sum(not call.consistent for call in every_call)),
        Sum("E-mails sent twice", 0, sum(m["copies"] != 1 for m in mail)),
        Sum("Calls to no number refused", 1, refused),
        Sum("Differences found by the audit", 0, len(audit_ledger(parts.ledger, parts.history))),
    ]


def _mail(story: Story) -> list[dict[str, Any]]:
    url = f"{story.stack.mailbox.http_url}/messages.json"
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - the mailbox's own
        messages: list[dict[str, Any]] = json.load(response)
        return messages
