"""The relay: brings what the ledger owes to RQ, and what its log says to history.

The ledger's scripts write down owed work in the same atomic step that makes it due. The relay
claims it under a lease, enqueues a job for it and notes that. Whatever then happens to the job, or
to the relay between any two of these steps, work that is still owed is claimed again when its
lease ends. Several relays may run: the claiming script gives each task to one of them.

The log is copied beside that, in a thread of its own, so that a database that is slow or away
holds up no work.
"""

from gatekeeper.relay.beside import run_beside
from gatekeeper.relay.history import HistoryCopy
from gatekeeper.relay.relay import Relay

__all__ = ["HistoryCopy", "Relay", "run_beside"]
