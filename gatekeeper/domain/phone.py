"""Phone numbers: their shape (ITU-T E.164), and how they appear in logs."""

from __future__ import annotations

import re

#: E.164 allows at most 15 digits. It sets no minimum; nothing that can be dialled has under 7.
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
#: What stands in From when a caller withholds the number; it identifies nobody.
_ANONYMOUS = "anonymous"
_PREFIX_DIGITS_MAX = 4
_SUFFIX_DIGITS = 2
_HIDDEN_DIGITS_MIN = 4
_HIDDEN = "*****"


def is_e164(text: str) -> bool:
    """Tell whether the text is a phone number in E.164: `+` and 7 to 15 digits, no leading 0."""
    return _E164.fullmatch(text) is not None


def mask(number: str) -> str:
    """Shorten a phone number for a log line: `+15551234534` becomes `+1555*****34`.

    The country and the area stay readable; at least four digits are always hidden. Whatever is
    not E.164 (a SIP address, a name, junk) is hidden whole, so the result is short printable ASCII
    whatever a caller sent. Never raises.
    """
    if not is_e164(number):
        return number if number in ("", _ANONYMOUS) else _HIDDEN
    digits = len(number) - 1
    prefix = min(_PREFIX_DIGITS_MAX, digits - _HIDDEN_DIGITS_MIN - _SUFFIX_DIGITS)
    hidden = "*" * (digits - prefix - _SUFFIX_DIGITS)
    return f"{number[: 1 + prefix]}{hidden}{number[-_SUFFIX_DIGITS:]}"
