"""What an audit finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that cannot be, in one line; `account_id` is "" when it is of a whole shard."""

    account_id: str
    what: str
