"""What an admin typed to find an account by: what names one exactly needs no search."""

from __future__ import annotations

import re
from typing import Final

from gatekeeper.domain.account import is_account_id
from gatekeeper.domain.phone import is_e164
from gatekeeper.ledger.keys import account_of, is_record_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.overview import read_accounts

CALL_SID: Final = re.compile(r"CA[0-9a-fA-F]{32}")
#: What people write between the digits of a phone number.
_BETWEEN_DIGITS: Final = str.maketrans("", "", " -().\N{NO-BREAK SPACE}")
#: A number of the North American plan as it is written at home: without its +1.
_NORTH_AMERICAN: Final = re.compile(r"[2-9][0-9]{9}")
_TEXT_MAX: Final = 254


def read_text(typed: str) -> str:
    """Tidy what was typed: in one line, and no longer than an address can be."""
    printable = "".join(char if char.isprintable() else " " for char in typed)
    return printable.strip()[:_TEXT_MAX]


def names_exactly(text: str) -> bool:
    """Tell whether the text is an id or a number: then it is looked up, and nothing else found."""
    return is_account_id(text) or is_record_id(text) or is_e164(_number(text))


def find_exactly(ledger: Ledger, text: str) -> str | None:
    """Find the account of an id, its own or that of its top-off, purchase or notice, or a number.

    None when there is none. Raises redis.RedisError.
    """
    if is_e164(number := _number(text)):
        record = ledger.numbers.find(number)
        account_id = "" if record is None else record.account_id
    else:
        account_id = account_of(text) if is_record_id(text) else text
    return account_id if account_id and read_accounts(ledger, [account_id]) else None


def find_by_digits(ledger: Ledger, text: str) -> str | None:
    """Find the account of a phone number that was written without its plus, or its +1.

    None when there is none, or when it may be the one or the other. Raises redis.RedisError.
    """
    digits = _number(text)
    numbers = [f"+{digits}"]
    if _NORTH_AMERICAN.fullmatch(digits):
        numbers.append(f"+1{digits}")
    found = {find_exactly(ledger, number) for number in numbers if is_e164(number)} - {None}
    return found.pop() if len(found) == 1 else None


def _number(text: str) -> str:
    return text.translate(_BETWEEN_DIGITS)
