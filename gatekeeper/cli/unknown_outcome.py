"""Changes whose outcome nobody knows: the ledger did not answer, and may have made them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from redis import RedisError

from gatekeeper.cli.sentences import describe_redis_error


@contextmanager
def advised_if_unknown(advice: str) -> Iterator[None]:
    """Say what to do next when the ledger's answer to a change does not arrive."""
    try:
        yield
    except RedisError as error:
        sentence = describe_redis_error(error)
    else:
        return
    raise click.ClickException(f"{sentence}; {advice}")
