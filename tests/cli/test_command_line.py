"""What holds for every command: how it starts, how it fails, what it keeps to itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from gatekeeper.cli import COMMANDS, main
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import DEAD_PORT, Gatekeeper, open_account

ROOT = Path(__file__).parents[2]
DEAD_REDIS = f"redis://someone:hunter2@127.0.0.1:{DEAD_PORT}/0"
SLOW_TO_IMPORT = ("stripe", "rq", "granian", "redis", "pydantic", "flask", "rich")


def _process(*args: str, env: dict[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the console script as a person would."""
    return subprocess.run(
        [sys.executable, "-m", "gatekeeper", *args],
        env=env,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_imports_nothing_that_is_slow() -> None:
    program = (
        "import sys; from gatekeeper.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print('IMPORTED', *(name for name in {SLOW_TO_IMPORT!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1].split() == ["IMPORTED"]
    assert re.search(r"account +Open, show and change accounts\.", done.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_where_the_table_says(gatekeeper: Gatekeeper, name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert gatekeeper.run(name, "--help").exit_code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(import_module(module), attribute)
    rows = re.findall(r"^\| (`.+?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    words = {row: set(re.findall(r"[\w-]+", row)) for row in rows if row.startswith("`gatekeeper ")}
    leaves = command.commands if isinstance(command, click.Group) else [name]
    for leaf in leaves:
        assert any({name, leaf} <= found for found in words.values()), leaf


def test_a_command_that_does_not_exist(gatekeeper: Gatekeeper) -> None:
    assert "No such command 'acount'. Did you mean 'account'?" in gatekeeper.usage_error("acount")
    assert "Did you mean 'show'?" in gatekeeper.usage_error("account", "shwo")
    assert "Did you mean" not in gatekeeper.usage_error("xyz")


@pytest.mark.parametrize(
    ("position", "command"),
    [
        (1, (b"b\xe4",)),
        (3, (b"account", b"show", b"acct_\xff")),
        (4, (b"account", b"create", b"--name", b"B\xe4cker", b"--email", b"a@example.com")),
        (5, (b"topoff", b"set", b"acct_000000000000", b"--on", b"\xf0\x28")),
    ],
)
def test_bytes_that_are_not_utf8(
    env: dict[str, str], tmp_path: Path, position: int, command: tuple[bytes, ...]
) -> None:
    done = _process(*map(os.fsdecode, command), env=env, directory=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: word {position} of the command is not UTF-8\n"


def test_a_database_that_the_ledger_does_not_have(
    gatekeeper: Gatekeeper, env: dict[str, str]
) -> None:
    url = env["REDIS_URL"].removesuffix("/0") + "/99"
    line = gatekeeper.refused("account", "list", REDIS_URL=url)
    assert line == "the ledger has no database of the number in its URL"


def test_no_settings_at_all(tmp_path: Path) -> None:
    done = _process("account", "list", env={}, directory=tmp_path)
    assert done.returncode == 1
    assert "copy .env.example to .env and fill it in" in done.stderr


def test_the_console_script_succeeds_and_fails_by_its_exit_code(
    env: dict[str, str], ledger: Ledger, tmp_path: Path
) -> None:
    account_id = open_account(ledger, name="Bäcker ☎")
    shown = _process("account", "show", account_id, env=env, directory=tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Bäcker ☎" in shown.stdout
    unknown = _process("account", "show", "acct_000000000000", env=env, directory=tmp_path)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "Error: there is no account acct_000000000000\n"
    misspelt = _process("account", "show", env=env, directory=tmp_path)
    assert (misspelt.returncode, misspelt.stdout) == (2, "")
    assert "Missing argument 'ID'" in misspelt.stderr


def test_settings_that_cannot_be_used_are_listed_without_their_values(
    env: dict[str, str], tmp_path: Path
) -> None:
    broken = env | {"SHARDS": "many", "TWILIO_AUTH_TOKEN": "hunter2,hunter2"}
    del broken["CREDIT_PRICE"]
    for command in (["account", "list"], ["serve"], ["relay"], ["work", "charges"]):
        done = _process(*command, env=broken, directory=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        first, *problems = done.stderr.splitlines()
        assert first == "Error: the configuration cannot be used:"
        names = [problem.split(":")[0].strip() for problem in problems]
        assert names == ["CREDIT_PRICE", "SHARDS", "TWILIO_AUTH_TOKEN"]
        assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("account", "create", "--name", "Able", "--email", "a@example.com"),
        ("account", "list"),
        ("number", "show", "+15550001111"),
        ("topoff", "retry", "acct_000000000000"),
        ("explain", "CA" + 32 * "0"),
        ("log", "acct_000000000000"),
        ("audit",),
    ],
)
def test_a_ledger_that_is_away(gatekeeper: Gatekeeper, command: tuple[str, ...]) -> None:
    line = gatekeeper.refused(*command, REDIS_URL=DEAD_REDIS)
    assert line.startswith("the ledger cannot be reached: connection refused")
    assert "hunter2" not in line
    assert "redis://" not in line


def test_a_ledger_that_wants_another_password(gatekeeper: Gatekeeper, env: dict[str, str]) -> None:
    url = env["REDIS_URL"].replace("redis://", "redis://someone:hunter2@")
    line = gatekeeper.refused("account", "list", REDIS_URL=url)
    assert line == (
        "the ledger cannot be reached: it does not accept the user name or password in its URL"
    )


def test_a_ledger_that_refuses_a_change(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    ledger.client.config_set("maxmemory", "1")
    try:
        line = gatekeeper.refused("account", "suspend", account_id)
    finally:
        ledger.client.config_set("maxmemory", "0")
    assert line == "the ledger takes no writes: it is out of memory"


def test_a_fault_of_ours_keeps_its_traceback(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    own = ledger.keys.of_account(account_id)
    ledger.client.hset(own.account, "threshold", "not a number")
    with pytest.raises(ValueError, match="not a number"):
        gatekeeper.run("account", "show", account_id)


def test_the_command_is_called_main() -> None:
    assert isinstance(main, click.Group)
