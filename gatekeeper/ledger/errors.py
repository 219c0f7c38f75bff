"""What a ledger verb refuses, as exceptions. A refusal changed nothing."""

from __future__ import annotations


class LedgerRefusal(Exception):
    """The ledger refused; the message says why in one line."""


class UnknownAccount(LedgerRefusal):
    """There is no such account."""

    def __init__(self, account_id: str) -> None:
        self.account_id = account_id
        super().__init__(f"there is no account {account_id}")


class UnknownTopoff(LedgerRefusal):
    """There is no such top-off, or it is not being charged."""

    def __init__(self, topoff_id: str) -> None:
        super().__init__(f"there is no top-off {topoff_id} to do this with")


class NumberTaken(LedgerRefusal):
    """The phone number belongs to another account."""

    def __init__(self, number: str, owner: str) -> None:
        super().__init__(f"{number} belongs to {owner}; release it there first")


class NumberResting(LedgerRefusal):
    """The phone number was released a moment ago."""

    def __init__(self, number: str, left_s: float) -> None:
        super().__init__(
            f"{number} was released a moment ago; another account can have it in {left_s:.0f} s"
        )


class PaymentMismatch(LedgerRefusal):
    """A payment does not fit the top-off it claims to be for. Someone must look."""


class CorrectionRefused(LedgerRefusal):
    """A correction by hand cannot be applied."""
