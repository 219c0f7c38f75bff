"""Loads the Lua scripts and runs them by their digest."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import NoScriptError

from gatekeeper.domain.topoff import TOPOFF_MOVES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.resources.abc import Traversable

    from redis import Redis
    from redis.commands.core import Script

_LUA: Final = resources.files("gatekeeper.ledger") / "lua"


#: Those of `account` that know what a credit costs, and so whether the spending cap is reached.
_WITH_CAP: Final = ("begin_charge", "set_topoff", "settle_topoff", "update_account")


def _moves_function() -> str:
    """Render the domain's transition table for the scripts: a function, for few need it."""
    rows = (
        f"  {source} = {{ {', '.join(f'{target} = true' for target in sorted(targets))} }},"
        for source, targets in TOPOFF_MOVES.items()
    )
    return "\n".join(["local function topoff_moves() return {", *rows, "} end", ""])


def _read_folder(folder: str, prelude: str = "") -> dict[str, str]:
    def is_script(item: Traversable) -> bool:
        return item.name.endswith(".lua")

    scripts = filter(is_script, (_LUA / folder).iterdir())
    return {item.name.removesuffix(".lua"): prelude + item.read_text() for item in scripts}


def _read_scripts(folder: str, names: Sequence[str], prelude: str) -> dict[str, str]:
    return {name: prelude + (_LUA / folder / f"{name}.lua").read_text() for name in names}


def load_sources() -> dict[str, str]:
    """Read every verb's script by name; those on an account get the shared prelude."""
    prelude = _moves_function() + (_LUA / "prelude.lua").read_text()
    news = (_LUA / "news_prelude.lua").read_text()
    cap = (_LUA / "cap_prelude.lua").read_text()
    of_cycles = prelude + news + cap + (_LUA / "cycle_prelude.lua").read_text()
    of_cards = prelude + news + (_LUA / "card_prelude.lua").read_text()
    return (
        _read_folder("account", prelude)
        | _read_scripts("account", _WITH_CAP, prelude + cap)
        | _read_folder("cycle", of_cycles)
        | _read_folder("card", of_cards)
        | _read_folder("shard", news)
        | _read_folder("number")
        | _read_folder("person")
    )


class Scripts:
    """The verbs' scripts, run over one client's connections.

    Commands go straight to a connection: redis-py's client adds to each a retry loop, which is off
    here, and telemetry that takes as long as all the rest. A script is loaded again when the
    server has lost it (a flush, a promoted replica).
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._scripts: dict[str, Script] = {
            name: client.register_script(source) for name, source in load_sources().items()
        }

    def run(self, name: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """Run one verb. Raises redis.RedisError; its outcome is then unknown."""
        script = self._scripts[name]
        try:
            return self._evalsha(script.sha, keys, args)
        except NoScriptError:
            self._client.script_load(script.script)
            return self._evalsha(script.sha, keys, args)

    def _evalsha(self, sha: str, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        pool = self._client.connection_pool
        connection: Any = pool.get_connection()  # half of its methods have no types
        try:
            connection.send_command("EVALSHA", sha, len(keys), *keys, *args)
            return connection.read_response()
        finally:
            pool.release(connection)
