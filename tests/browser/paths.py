"""Where the pages of an account stand."""

from __future__ import annotations


class Paths:
    """The paths of the account with an `id`."""

    id: str

    @property
    def calls_path(self) -> str:
        return f"/a/{self.id}/calls"

    @property
    def settings_path(self) -> str:
        return f"/a/{self.id}/receptionist/settings"

    @property
    def billing_path(self) -> str:
        return f"/a/{self.id}/settings/billing"

    @property
    def buy_path(self) -> str:
        return f"/a/{self.id}/buy"

    @property
    def card_path(self) -> str:
        return f"/a/{self.id}/settings/card"
