"""E-mail addresses: which texts are taken for one."""

from __future__ import annotations

from typing import Final
from unicodedata import category

#: In octets, by RFC 5321, section 4.5.3.1.
_MAX_LOCAL_BYTES: Final = 64
_MAX_BYTES: Final = 254
#: What means something in RFC 5322 wherever it is not quoted, but for the dot.
_RESERVED: Final = frozenset('()<>[]:;@\\,"')
#: Unicode's categories of what is seen: letters, marks, numbers, punctuation, symbols. The others
#: are spaces and line ends, controls, halves of surrogate pairs, and what is not seen but changes
#: how a line is read: zero-width characters, turns of direction.
_SEEN: Final = frozenset("LMNPS")
_IN_LABELS: Final = frozenset("LMN")


def is_email_address(text: str) -> bool:
    """Tell whether the text is one plain address: `local@domain`, without a name or quotes.

    Looser than RFC 5322, as mailboxes are: letters of any script may stand on both sides, and dots
    anywhere in the local part. Nothing passes that could end an address or a header.
    """
    local, _, domain = text.partition("@")
    return (
        all(category(one)[0] in _SEEN and one not in _RESERVED for one in local)
        and all(map(_is_label, domain.split(".")))
        and 0 < len(local.encode()) <= _MAX_LOCAL_BYTES
        and len(text.encode()) <= _MAX_BYTES
    )


def _is_label(text: str) -> bool:
    """Tell whether the text can stand between two dots of a host name."""
    return text.strip("-") == text != "" and all(
        one == "-" or category(one)[0] in _IN_LABELS for one in text
    )
