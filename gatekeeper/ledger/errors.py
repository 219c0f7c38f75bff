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


class UnknownPurchase(LedgerRefusal):
    """There is no such purchase, or it is no longer kept."""

    def __init__(self, purchase_id: str) -> None:
        super().__init__(f"there is no purchase {purchase_id}")


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


class MemberRefused(LedgerRefusal):
    """An account's members cannot be changed so."""


class MemberChanged(MemberRefused):
    """Somebody changed or removed a member after they were read."""

    def __init__(self, email: str) -> None:
        super().__init__(f"{email} was changed or removed meanwhile")


class PaymentMismatch(LedgerRefusal):
    """A payment does not fit the top-off or purchase that it says it is for. Someone must look."""


class DrivenBySubscription(LedgerRefusal):
    """A subscription says how large an account's allotment is, and when it is reset."""

    def __init__(self, account_id: str, subscription: str) -> None:
        super().__init__(
            f"{subscription} drives {account_id}; unlink it first:"
            f" gatekeeper account set {account_id} --subscription none"
        )


class SubscriptionTaken(LedgerRefusal):
    """The subscription drives another account, or is just being linked to one."""

    def __init__(self, subscription: str, owner: str) -> None:
        super().__init__(f"{subscription} drives {owner}; unlink it there first")


class SettingsChanged(LedgerRefusal):
    """Somebody, or a refund, changed settings after they were read."""

    def __init__(self, account_id: str) -> None:
        super().__init__(
            f"the top-off settings changed meanwhile: look at {account_id}, and run it again"
        )


class CreditsRefused(LedgerRefusal):
    """Credits cannot be added or removed by hand as asked."""
