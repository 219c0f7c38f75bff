"""History's tables. Every index serves a query of this package; none is there besides.

| table            | a row                                           | key                      |
|------------------|-------------------------------------------------|--------------------------|
| `entries`        | a line of the log                               | account, place in log    |
| `calls`          | a call, put together from its entries           | CallSid, account         |
| `meter_readings` | calls so far at the end of a quarter of an hour | account, number, quarter |
| `accounts`       | what an account's entries say of it, to find it | account                  |
| `positions`      | how far a shard's log has been copied           | shard                    |

An entry's id is unique in its shard and an account lies in one shard, so account and id name an
entry in the whole deployment.

A meter counts an account's calls by outcome and only has a reading for a quarter of an hour in
which it moved: what was used between two instants is the difference of two readings, whatever the
number of calls between them and whatever the time zone, as every zone's days begin at a quarter of
an hour of UTC. `number` ALL_NUMBERS is the account's whole meter.

Of `accounts`, the directory, see listing.py. `name_key` is the name as it is compared and sorted.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, text

from gatekeeper.history.call import Outcome

ALL_NUMBERS: Final = "*"

#: Which entries are lines of a statement: all but those of calls, of top-offs that are only
#: requested, of changes by hand and of incidents' ends. Written out, as databases use an index of
#: some rows only where a query has the very words of its condition.
IS_OF_STATEMENT: Final = text(
    "type NOT IN"
    " ('call_debited', 'call_released', 'call_dropped', 'call_settled', 'topoff_requested',"
    " 'account_changed', 'incident_resolved')"
)

#: Which calls were dropped, and which accounts may have an open incident; as above.
IS_DROPPED: Final = text("outcome = 'dropped'")
MAY_HAVE_INCIDENT: Final = text("incident_id <> ''")

metadata = MetaData()

#: Compared byte by byte: the order of keys must not depend on the database's language.
_KEY: Final = Text().with_variant(Text(collation="C"), "postgresql")

entries = Table(
    "entries",
    metadata,
    Column("account_id", _KEY, primary_key=True),
    Column("id_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("id_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("allotment_delta", BigInteger, nullable=False),
    Column("purchased_delta", BigInteger, nullable=False),
    Column("allotment", BigInteger, nullable=False),
    Column("purchased", BigInteger, nullable=False),
    Column("ref", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("direction", _KEY, nullable=False),
    Index("entries_by_time", "account_id", "at_ms"),
    Index(
        "entries_of_statement",
        *("account_id", "id_ms", "id_seq"),
        sqlite_where=IS_OF_STATEMENT,
        postgresql_where=IS_OF_STATEMENT,
    ),
)

calls = Table(
    "calls",
    metadata,
    Column("call_sid", _KEY, primary_key=True),
    Column("account_id", _KEY, primary_key=True),
    Column("direction", _KEY, nullable=False),
    Column("number", _KEY, nullable=False),
    Column("outcome", _KEY, nullable=False),
    Column("reason", _KEY, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("ended_at_ms", BigInteger),
    Column("end", Text),
    Column("duration_s", Integer),
    Column("debits", Integer, nullable=False),
    Column("releases", Integer, nullable=False),
    Column("dropped", Boolean, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Index("calls_by_start", "account_id", "direction", "started_at_ms", "call_sid"),
    Index(
        "calls_by_outcome",
        *("account_id", "direction", "outcome", "reason", "started_at_ms", "call_sid"),
    ),
    Index(
        "calls_by_number",
        *("account_id", "direction", "number", "outcome", "reason", "started_at_ms", "call_sid"),
    ),
    Index(
        "calls_dropped",
        *("started_at_ms", "reason", "account_id"),
        sqlite_where=IS_DROPPED,
        postgresql_where=IS_DROPPED,
    ),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", _KEY, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", _KEY, nullable=False),
    Column("email", _KEY, nullable=False),
    Column("opened_at_ms", BigInteger, nullable=False),
    Column("last_call_at_ms", BigInteger, nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("incident_at_ms", BigInteger, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("places", Text, nullable=False),
    # With the address, so that a search reads this index alone.
    Index("accounts_by_name", "name_key", "account_id", "email"),
    Index("accounts_by_last_call", "last_call_at_ms", "account_id"),
    Index("accounts_by_balance", "balance", "account_id"),
    Index("accounts_by_opening", "opened_at_ms", "account_id"),
    Index(
        "accounts_with_incident",
        *("incident_at_ms", "account_id"),
        sqlite_where=MAY_HAVE_INCIDENT,
        postgresql_where=MAY_HAVE_INCIDENT,
    ),
)

meter_readings = Table(
    "meter_readings",
    metadata,
    Column("account_id", _KEY, primary_key=True),
    Column("number", _KEY, primary_key=True),
    Column("quarter", Integer, primary_key=True, autoincrement=False),
    *(Column(outcome.value, BigInteger, nullable=False) for outcome in Outcome),
)

positions = Table(
    "positions",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("id_ms", BigInteger, nullable=False),
    Column("id_seq", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
)
