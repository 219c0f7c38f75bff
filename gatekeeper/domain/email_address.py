"""E-mail addresses: which texts are taken for one."""

from __future__ import annotations

from typing import Final
from unicodedata import category, normalize

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
_PROBLEM: Final = "must be one e-mail address"


def is_email_address(text: str) -> bool:
    """Tell whether the text is one plain address: `local@domain`, without a name or quotes.

    Looser than RFC 5322, as mailboxes are: letters of any script may stand on both sides, and dots
    anywhere in the local part. Nothing passes that could end an address or a header.
    """
    if len(text) > _MAX_BYTES:
        return False
    local, _, domain = text.partition("@")
    return (
        all(category(one)[0] in _SEEN and one not in _RESERVED for one in local)
        and all(map(_is_label, domain.split(".")))
        and 0 < len(local.encode()) <= _MAX_LOCAL_BYTES
        and len(text.encode()) <= _MAX_BYTES
    )


def normalize_email(text: str) -> str:
    """Write an address in the one form in which a person is known.

    In lower case and composed characters. RFC 5321 leaves the case of the local part to the
    receiving host; none that matters tells mailboxes apart by it. Mail goes to this form as well,
    so a look-alike of an address never leads to another mailbox than the one that is known.

    Raises ValueError for what is no address. Spaces around it count towards its length.
    """
    # First of all: the time that `normalize` takes grows with the square of the text, and no other
    # thread runs meanwhile.
    if len(text) > _MAX_BYTES:
        raise ValueError(_PROBLEM)
    normal = normalize("NFC", normalize("NFC", text.strip()).lower())
    if not is_email_address(normal):
        raise ValueError(_PROBLEM)
    return normal


def _is_label(text: str) -> bool:
    """Tell whether the text can stand between two dots of a host name."""
    return text.strip("-") == text != "" and all(
        one == "-" or category(one)[0] in _IN_LABELS for one in text
    )
