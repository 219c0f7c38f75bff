"""The relay: brings what the ledger owes to RQ, as often as it takes.

The ledger's scripts write down owed work in the same atomic step that makes it due. The relay
claims it under a lease, enqueues a job for it and notes that. Whatever then happens to the job, or
to the relay between any two of these steps, work that is still owed is claimed again when its
lease ends. Several relays may run: the claiming script gives each task to one of them.
"""

from gatekeeper.relay.relay import Relay

__all__ = ["Relay"]
