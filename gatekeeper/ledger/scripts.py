"""Loads the Lua scripts and runs them by their digest."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from gatekeeper.domain.topoff import TOPOFF_MOVES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

    from redis import Redis
    from redis.commands.core import Script

_LUA: Final = resources.files("gatekeeper.ledger") / "lua"


def _moves_table() -> str:
    """Render the domain's transition table for the scripts."""
    rows = (
        f"  {source} = {{ {', '.join(f'{target} = true' for target in sorted(targets))} }},"
        for source, targets in TOPOFF_MOVES.items()
    )
    return "\n".join(["local TOPOFF_MOVES = {", *rows, "}", ""])


def _read_folder(folder: str, prelude: str = "") -> dict[str, str]:
    def is_script(item: Traversable) -> bool:
        return item.name.endswith(".lua")

    scripts = filter(is_script, (_LUA / folder).iterdir())
    return {item.name.removesuffix(".lua"): prelude + item.read_text() for item in scripts}


def load_sources() -> dict[str, str]:
    """Read every verb's script by name; those on an account get the shared prelude."""
    prelude = _moves_table() + (_LUA / "prelude.lua").read_text()
    return _read_folder("account", prelude) | _read_folder("shard") | _read_folder("number")


class Scripts:
    """The verbs' scripts, registered with one client.

    redis-py's Script loads a script again when the server has lost it (a flush, a promoted
    replica).
    """

    def __init__(self, client: Redis) -> None:
        self._scripts: dict[str, Script] = {
            name: client.register_script(source) for name, source in load_sources().items()
        }

    def run(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run one verb. Raises redis.RedisError; its outcome is then unknown."""
        return self._scripts[name](keys=keys, args=args)
