"""Audits the ledger and history: whether every balance, call and top-off is what its entries say.

Entries are in the ledger's log, and for good in SQL. SQL has each shard's log from its beginning up
to a position, and the log is trimmed behind that alone. So an account's whole story is what SQL has
of it and what the log has behind the position; what both have must be equal.

Both are in use meanwhile, so the order of reads is what keeps a change in between from looking
like a difference:

1. Each account is read together with the end of its shard's log, in one transaction. The entries
   up to that one made it what it is; those behind are not counted against it.
2. Then the records of top-offs, each together with whether its charge is owed, and the records of
   calls. What they tell of has its entry by now, because one step writes both, and entries stay.
   Entries may tell of more than the record. A top-off that was credited meanwhile is read again:
   once it has succeeded it stays so.
3. Then each shard's log, from its oldest entry to its end. It may lose entries at its beginning
   while it is read, but only those that SQL has.
4. Last SQL, in one transaction that sees it as of one instant. Whatever the log had lost until
   then is in it. What is in the log and not behind SQL's position must be in SQL; what is in SQL
   must be in the log, from the oldest entry that was left when its reading ended to the last one
   that was read. The directory, as of the same instant, is what the entries up to SQL's
   position tell, or later where it was filled from the ledger (directory.py).

Memory does not grow with the number of entries: what was read of the ledger is sorted by account
in a temporary file (spool.py), SQL is streamed by its key, and the accounts are then looked at one
after the other. Held are all accounts, and the calls and top-offs of the one that is looked at.
"""

from gatekeeper.audit.difference import Difference
from gatekeeper.audit.run import Audit, audit, audit_account, audit_ledger, entries_to_read

__all__ = ["Audit", "Difference", "audit", "audit_account", "audit_ledger", "entries_to_read"]
