"""The `gatekeeper` command. Each part is imported when one of its commands is run."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

#: Every command: where it stands, and its line in `gatekeeper --help`. A table, because importing
#: them all takes a second: Stripe's library, RQ, the server.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "account": ("gatekeeper.cli.accounts:account", "Open, show and change accounts."),
    "member": ("gatekeeper.cli.members:member", "Let people see an account, and pay."),
    "number": ("gatekeeper.cli.numbers:number", "Assign phone numbers to accounts."),
    "credits": ("gatekeeper.cli.money:credits_", "Correct balances by hand."),
    "topoff": ("gatekeeper.cli.money:topoff", "Set automatic top-offs, or retry one that failed."),
    "card": ("gatekeeper.cli.money:card", "Attach the card that top-offs are charged to."),
    "explain": ("gatekeeper.cli.explaining:explain", "Say why a call was answered or dropped."),
    "log": ("gatekeeper.cli.look:log", "Show what changed an account, and who did it."),
    "usage": ("gatekeeper.cli.usage:usage", "Count an account's calls and their credits."),
    "audit": ("gatekeeper.cli.auditing:audit", "Hold balances against the entries of the log."),
    "doctor": ("gatekeeper.cli.checks:doctor", "Check the settings and everything they lead to."),
    "release": ("gatekeeper.cli.checks:release", "Check what must stop a deployment, migrate."),
    "serve": ("gatekeeper.cli.processes:serve", "Run the web server."),
    "relay": ("gatekeeper.cli.processes:relay", "Run the relay."),
    "work": ("gatekeeper.cli.processes:work", "Run a worker on one queue."),
    "simulate": ("gatekeeper.cli.development:simulate", "Call a running gate, check the ledger."),
    "demo": ("gatekeeper.cli.demo.run:demo", "Run everything on this machine, and watch."),
}


class CommandLine(click.Group):
    """A group that imports a command when it is asked for, and fails in one line (exit code 1).

    A failure that is not expected is a fault of ours and keeps its traceback.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse what nothing can store or print, wherever it stands."""
        for position, text in enumerate(args, start=1):
            if not _is_utf8(text):
                raise click.ClickException(f"word {position} of the command is not UTF-8")
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List the commands in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, or say which might be."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            misspelt = error.command_name
        raise click.NoSuchCommand(misspelt, possibilities=COMMANDS, ctx=ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the table, without importing what is in it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            # Naming every library's errors means importing every library.
            from gatekeeper.cli.sentences import sentence_of

            sentence = sentence_of(error)
            if sentence is None:
                raise
        # Raised outside of the handler: what was caught may hold more than the sentence tells.
        raise click.ClickException(sentence)


def _is_utf8(text: str) -> bool:
    """Tell whether the system gave us characters: other bytes reach Python as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@click.command(cls=CommandLine)
def main() -> None:
    """Gatekeeper stands between Twilio and an AI receptionist: one credit an answered call."""
