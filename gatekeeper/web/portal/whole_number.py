"""Whole numbers as people type them."""

from __future__ import annotations

import re
from typing import Final

#: More digits than any number that can be saved or bought.
_DIGITS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
#: What no setting can be, so that the check of what was entered says what it must be.
_NO_NUMBER: Final = -1


def read_whole_number(text: str) -> int:
    """Read a whole number of credits; for anything else, -1, which is none."""
    stripped = text.strip()
    return int(stripped) if _DIGITS.fullmatch(stripped) else _NO_NUMBER
