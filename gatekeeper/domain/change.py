"""Changes to an account that somebody made by hand, and how the log tells of them.

An entry ACCOUNT_CHANGED says what was changed in `cause` and in `ref` (the account, or a member's
address, or a number), and the rest in `detail`, a JSON object: always `by`, who did it, "" when the
system did (news from Stripe); and the new values. No secret stands in it, and no id of Stripe's.

| change                 | ref     | values                                                        |
|------------------------|---------|---------------------------------------------------------------|
| `described`            | account | those of name, email, timezone, price_minor (null = default)  |
|                        |         | that changed; route, drop_message: true where they did        |
| `suspended`            | account |                                                               |
| `unsuspended`          | account |                                                               |
| `topoff_set`           | account | enabled, threshold, amount, overdraft_limit (null = amount),  |
|                        |         | spending_cap_minor (null = none); only enabled, false, where  |
|                        |         | money that went back switched them off                        |
| `card_saved`           | account | brand, last4                                                  |
| `card_updated`         | account | brand, last4                                                  |
| `card_removed`         | account | brand, last4                                                  |
| `cycle_set`            | account | allotment, anchor_ms, interval                                |
| `subscription_linked`  | account |                                                               |
| `subscription_unlinked`| account |                                                               |
| `number_assigned`      | number  | route: true where it has one of its own                       |
| `number_released`      | number  |                                                               |
| `member_set`           | address | role, notices (those chosen, null = what is usual)            |
| `member_removed`       | address |                                                               |

ACCOUNT_OPENED's detail is of the same form: by, name, email, timezone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: What JSON has for the values above; `notices` is a list of words, written with commas.
Value = str | int | bool | None


class Change(StrEnum):
    """What was changed."""

    DESCRIBED = "described"
    SUSPENDED = "suspended"
    UNSUSPENDED = "unsuspended"
    TOPOFF_SET = "topoff_set"
    CARD_SAVED = "card_saved"
    CARD_UPDATED = "card_updated"
    CARD_REMOVED = "card_removed"
    CYCLE_SET = "cycle_set"
    SUBSCRIPTION_LINKED = "subscription_linked"
    SUBSCRIPTION_UNLINKED = "subscription_unlinked"
    NUMBER_ASSIGNED = "number_assigned"
    NUMBER_RELEASED = "number_released"
    MEMBER_SET = "member_set"
    MEMBER_REMOVED = "member_removed"


@dataclass(frozen=True, slots=True)
class ChangeDetail:
    """Who changed something, and to what."""

    by: str
    values: Mapping[str, Value]

    def text(self, name: str) -> str | None:
        """Read a value that is a text; None where there is none."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None


def write_detail(by: str, **values: Value) -> str:
    """Write who changed something, and the new values, for an entry."""
    return json.dumps({"by": by, **values}, ensure_ascii=False, separators=(",", ":"))


def read_detail(detail: str) -> ChangeDetail:
    """Read the detail of ACCOUNT_CHANGED or ACCOUNT_OPENED.

    What is in no such form, as those of accounts opened before there was one, tells nothing.
    """
    try:
        found = json.loads(detail)
    except ValueError:
        return ChangeDetail("", {})
    if not isinstance(found, dict):
        return ChangeDetail("", {})
    by = found.pop("by", "")
    return ChangeDetail(by if isinstance(by, str) else "", found)
