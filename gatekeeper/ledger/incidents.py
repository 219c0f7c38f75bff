"""Incidents: what of a failed top-off a person still has to see (R9)."""

from __future__ import annotations

from typing import Final, cast

from gatekeeper.domain.incident import Incident
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.records import read_incident
from gatekeeper.ledger.store import Store

#: Counted from the last time that somebody dismissed it. Whoever has an incident open for longer
#: is shown it once more.
DISMISSED_KEPT_S: Final = 400 * 86_400


class Incidents:
    """The verbs on incidents. All raise redis.RedisError: the outcome is unknown."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def open_incident(self, account_id: str) -> Incident | None:
        """Read the account's open incident; None also when there is no such account."""
        fields = self._store.client.hgetall(self._store.keys.of_account(account_id).incident)
        found = read_incident(cast(dict[str, str], fields)) if fields else None
        return found if found is not None and found.resolved_at_ms is None else None

    def unseen_incident(self, account_id: str, email: str) -> Incident | None:
        """Read the account's open incident unless this person dismissed it."""
        found = self.open_incident(account_id)
        if found is None or self._store.client.sismember(self._dismissed(found.id), email):
            return None
        return found

    def dismiss_incident(self, incident_id: str, email: str) -> bool:
        """Let a person see no more of an incident; False when it is not the open one.

        Raises UnknownAccount.
        """
        reply = self._store.run(
            "dismiss_incident",
            account_of(incident_id),
            incident_id,
            email,
            DISMISSED_KEPT_S,
            keys=(self._dismissed(incident_id),),
        )
        return bool(reply[0] == "dismissed")

    def _dismissed(self, incident_id: str) -> str:
        return self._store.keys.of_account(account_of(incident_id)).dismissed(incident_id)
