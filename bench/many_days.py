"""One busy day as if many had been: each account of both stores gets copies with ids of their own.

The copies' entries lie between each other in the log, as those of many accounts do. Everything that
names an account is copied with it, so the books of each copy are as sound as the original's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

from redis import Redis
from redis.client import Pipeline
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    func,
    insert,
    literal,
    select,
    update,
)

from gatekeeper.history.engine import writing
from gatekeeper.history.tables import accounts, calls, entries, meter_readings, positions
from gatekeeper.ledger.ledger import Ledger

_PREFIX: Final = "acct_"
#: A copy keeps so much of its original's id. New ids have no "i", so none of these is taken.
_KEPT: Final = len(_PREFIX) + 9
_PAGE: Final = 2000
_NAMES_ACCOUNT: Final = ("account_id", "ref", "cause", "incident_id")

Rename = Callable[[str], str]


class ManyDays:
    """Multiplies what an idle ledger of one shard holds, and what history has of it."""

    def __init__(self, ledger: Ledger, times: int) -> None:
        self._ledger = ledger
        self._times = times
        self._tags = [f"i{n:02}" for n in range(1, times)]
        ids = (account_id.removeprefix(_PREFIX) for account_id in ledger.accounts.ids())
        self._token = re.compile("|".join(ids))

    def multiply_ledger(self) -> None:
        """Copy every account in the ledger; the log is written anew."""
        client = self._ledger.client
        log_key = self._ledger.keys.log(0)
        for key in [key for key in client.scan_iter(count=_PAGE) if key != log_key]:
            with client.pipeline(transaction=False) as pipeline:
                self._copy_key(key, pipeline)
                pipeline.execute()
        self._copy_log(client, log_key)

    def multiply_history(self, engine: Engine) -> None:
        """Copy every account in history, which has the whole log as it was."""
        with writing(engine) as connection:
            for number, tag in enumerate(self._tags, start=1):
                for table in (entries, calls, meter_readings, accounts):
                    connection.execute(self._copy_rows(table, number, tag))
            self._renumber(connection)

    def _copy_key(self, key: str, pipeline: Pipeline) -> None:
        client = self._ledger.client
        read: dict[str, Callable[[], Any]] = {
            "string": lambda: client.get(key),
            "hash": lambda: client.hgetall(key),
            "set": lambda: client.smembers(key),
            "zset": lambda: client.zrange(key, 0, -1, withscores=True),
        }
        kind = cast(str, client.type(key))
        value = read[kind]()
        for tag in self._tags:
            rename = self._renaming(tag)
            name = rename(key)
            match kind:
                case "string" if name != key:
                    pipeline.set(name, rename(value))
                case "hash":
                    pipeline.hset(name, mapping={rename(k): rename(v) for k, v in value.items()})
                case "set":
                    pipeline.sadd(name, *map(rename, value))
                case "zset":
                    pipeline.zadd(name, {rename(member): score for member, score in value})

    def _copy_log(self, client: Redis, log_key: str) -> None:
        pages = [page.entries for page in self._ledger.log.pages(0)]
        client.delete(log_key)
        renames: list[Rename] = [lambda text: text, *map(self._renaming, self._tags)]
        for page in pages:
            with client.pipeline(transaction=False) as pipeline:
                for entry_id, fields in page:
                    ms, _, seq = entry_id.partition("-")
                    for number, rename in enumerate(renames):
                        copied = {name: rename(text) for name, text in fields.items()}
                        place = f"{ms}-{int(seq) * self._times + number}"
                        pipeline.xadd(log_key, cast(dict[Any, Any], copied), id=place)
                pipeline.execute()

    def _renaming(self, tag: str) -> Rename:
        kept = _KEPT - len(_PREFIX)
        return lambda text: self._token.sub(lambda found: found[0][:kept] + tag, text)

    def _copy_rows(self, table: Table, number: int, tag: str) -> Any:
        copied_id = func.substr(table.c.account_id, 1, _KEPT).concat(literal(tag))
        is_original = ~table.c.account_id.contains("i")
        values: list[ColumnElement[Any]] = []
        for column in table.columns:
            if column.name in _NAMES_ACCOUNT:
                values.append(func.replace(column, table.c.account_id, copied_id))
            elif column.name == "id_seq":
                values.append(column * self._times + number)
            else:
                values.append(column)
        chosen: Select[Any] = select(*values).where(is_original)
        return insert(table).from_select(list(table.columns), chosen)

    def _renumber(self, connection: Connection) -> None:
        """Make room for the copies: the log has them between the originals."""
        is_original = ~entries.c.account_id.contains("i")
        originals = update(entries).where(is_original)
        # By way of negative numbers: no row may have another's number while they change.
        connection.execute(originals.values(id_seq=-1 - entries.c.id_seq * self._times))
        connection.execute(originals.values(id_seq=-1 - entries.c.id_seq))
        last = {
            "id_seq": positions.c.id_seq * self._times + self._times - 1,
            "entries": positions.c.entries * self._times,
        }
        connection.execute(update(positions).values(last))
