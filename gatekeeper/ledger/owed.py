"""Owed work: what the ledger wrote down that must still be done, and when it is next due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from gatekeeper.ledger.records import in_groups
from gatekeeper.ledger.store import Store

#: Beside the tasks and their tries, how many marks a shard has given.
MARKS: Final = "marks"


@dataclass(frozen=True, slots=True)
class OwedTask:
    """A claimed task, such as `charge:<top-off>`; how often it was enqueued; when it was due."""

    shard: int
    task: str
    tries: int
    due_ms: int


class Owed:
    """The verbs on owed work, shard by shard. Raise redis.RedisError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def shards(self) -> int:
        """How many shards there are to drain."""
        return self._store.keys.shards

    def claim_owed(self, shard: int, *, lease_s: float, limit: int) -> list[OwedTask]:
        """Claim what is due; nobody else is given it until the lease ends."""
        reply = self._store.scripts.run(
            "claim_owed", self._keys(shard), [self._store.clock(), int(lease_s * 1000), limit]
        )
        return [OwedTask(shard, task, tries, due_ms) for task, tries, due_ms in in_groups(reply, 3)]

    def enqueued_owed(self, task: OwedTask, *, tries: int, back_in_s: float) -> bool:
        """Note that a task was enqueued; False when it was struck off meanwhile."""
        due_ms = self._store.clock() + int(back_in_s * 1000)
        args: list[str | int] = [task.task, due_ms, tries]
        return bool(self._store.scripts.run("enqueued_owed", self._keys(task.shard), args))

    def note_owed(self, subject: str, task: str) -> int:
        """Write down that there is news of a subject, an account or a payment, to be looked into.

        Returns the mark of this news, which no other of the shard ever has. News that comes while a
        job looks into earlier ones makes the task due once more: that job's `strike_owed` then
        leaves it owed, also when another run of the job has struck off what was owed before.
        """
        shard = self._store.keys.shard_of(subject)
        args: list[str | int] = [task, self._store.clock(), self._store.keys.wake(shard)]
        return cast(int, self._store.scripts.run("note_owed", self._keys(shard), args))

    def mark(self, subject: str, task: str) -> int | None:
        """Read the mark under which a subject's task is owed; None when it is not."""
        tries = self._store.keys.tries(self._store.keys.shard_of(subject))
        kept = cast(str | None, self._store.client.hget(tries, task))
        return int(kept.split()[-1]) if kept else None

    def postpone_owed(self, subject: str, task: str, *, mark: int, due_ms: int) -> bool:
        """Put off a task that could not be done yet; False when it is owed under another mark."""
        keys = self._keys(self._store.keys.shard_of(subject))
        args: list[str | int] = [task, mark, due_ms]
        return bool(self._store.scripts.run("postpone_owed", keys, args))

    def strike_owed(self, subject: str, task: str, *, mark: int | None = None) -> bool:
        """Strike off a task that is done; False when it was not owed.

        With `mark` also when it has become owed anew, under another.
        """
        keys = self._keys(self._store.keys.shard_of(subject))
        asked = "" if mark is None else mark
        return bool(self._store.scripts.run("strike_owed", keys, [task, asked]))

    def is_owed(self, subject: str, task: str) -> bool:
        """Tell whether a subject's task still has to be done."""
        key = self._store.keys.owed(self._store.keys.shard_of(subject))
        return self._store.client.zscore(key, task) is not None

    def next_due_ms(self, shard: int) -> int | None:
        """When the next task is due; None when nothing is owed."""
        first = self._store.client.zrange(self._store.keys.owed(shard), 0, 0, withscores=True)
        return int(cast(list[tuple[str, float]], first)[0][1]) if first else None

    def tasks(self, shard: int) -> list[tuple[str, int]]:
        """List everything owed with its due time in ms, the earliest first."""
        found = self._store.client.zrange(self._store.keys.owed(shard), 0, -1, withscores=True)
        return [(task, int(due)) for task, due in cast(list[tuple[str, float]], found)]

    def _keys(self, shard: int) -> list[str]:
        return [self._store.keys.owed(shard), self._store.keys.tries(shard)]
