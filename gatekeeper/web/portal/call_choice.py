"""Which calls somebody wants to see, as an address says it: by day, number, outcome, reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gatekeeper.domain.call import Direction, Reason
from gatekeeper.domain.phone import is_e164
from gatekeeper.history.call import Outcome
from gatekeeper.history.queries import CallFilter
from gatekeeper.history.usage import midnight_ms
from gatekeeper.web.portal.call_words import REASON_LABELS

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ALWAYS: Final = (None, None)
_CHOOSE_ANOTHER: Final = "Choose one of the {}, or all of them."

_Span = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class CallChoice:
    """What is chosen. `values` are the fields of the form that are filled in, by name.

    While there are problems, a sentence for each field that has one, no field's choice counts.
    """

    values: Mapping[str, str]
    chosen: CallFilter
    problems: Mapping[str, str]


def read_choice(fields: Mapping[str, str], zone: ZoneInfo, direction: Direction) -> CallChoice:
    """Read the fields of the form of calls of one direction.

    Each field may be missing; days are those of a zone.
    """
    given = {name: fields.get(name, "").strip() for name in ("day", "number", "outcome", "reason")}
    values = {name: text for name, text in given.items() if text}
    if "number" in values:
        # In an address a plus sign that nobody escaped is a space.
        values["number"] = f"+{values['number'].removeprefix('+')}"
    span = _span(values["day"], zone) if "day" in values else _ALWAYS
    problems = _problems(values, span)
    counting = {} if problems else values
    return CallChoice(values, _chosen(counting, span or _ALWAYS, direction), problems)


def _problems(values: Mapping[str, str], span: _Span | None) -> dict[str, str]:
    problems = {}
    if span is None:
        problems["day"] = "Enter a day, such as 2026-03-31."
    if "number" in values and not is_e164(values["number"]):
        problems["number"] = _CHOOSE_ANOTHER.format("numbers")
    if values.get("outcome", Outcome.DROPPED) not in set(Outcome):
        problems["outcome"] = _CHOOSE_ANOTHER.format("outcomes")
    if values.get("reason", Reason.ALLOTMENT) not in REASON_LABELS:
        problems["reason"] = _CHOOSE_ANOTHER.format("reasons")
    return problems


def _chosen(values: Mapping[str, str], span: _Span, direction: Direction) -> CallFilter:
    return CallFilter(
        *span,
        number=values.get("number"),
        outcome=Outcome(values["outcome"]) if "outcome" in values else None,
        reason=Reason(values["reason"]) if "reason" in values else None,
        direction=direction,
    )


def _span(text: str, zone: ZoneInfo) -> _Span | None:
    """Find when a day begins and ends; None for what is no day as forms write one."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
        return (midnight_ms(zone, day), midnight_ms(zone, day + timedelta(days=1))) if day else None
    except (ValueError, OverflowError):  # no such day, or none after it
        return None
