"""Several streams that are sorted by account, taken account by account."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, TypeVar

T = TypeVar("T", bound=tuple[Any, ...])


class ByAccount(Generic[T]):
    """Rows that begin with an account's id and are sorted by it.

    `account_id` is whose rows come next, None at the end.
    """

    def __init__(self, rows: Iterable[T]) -> None:
        self.account_id: str | None = None
        self._groups: Iterator[tuple[str, Iterator[T]]] = groupby(rows, itemgetter(0))
        self._rows: Iterator[T] = iter(())
        self._advance()

    def take(self, account_id: str) -> Iterator[T]:
        """Yield an account's rows; none unless they come next. Go on once all are taken."""
        if self.account_id == account_id:
            yield from self._rows
            self._advance()

    def _advance(self) -> None:
        self.account_id, self._rows = next(self._groups, (None, iter(())))


def accounts_in(*streams: ByAccount[Any]) -> Iterator[str]:
    """Yield every account of some streams, sorted; each must be taken from all before the next."""
    while heads := [stream.account_id for stream in streams if stream.account_id is not None]:
        yield min(heads)
