"""`python -m gatekeeper.sandbox.valkey`: the server as a process of its own."""

import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import click

from gatekeeper.sandbox.valkey.server import EmbeddedValkey, EmbeddedValkeyError


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=6379,
    show_default=True,
    help="0 picks a free one.",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the data stays; without it, in a temporary directory that goes at the end.",
)
def main(port: int, directory: Path | None) -> None:
    """Run a Valkey server on loopback that is fit for balances, until SIGTERM or Ctrl-C."""
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with ExitStack() as stack:
        if directory is None:
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekeeper-valkey-"))
            directory = Path(name)
        try:
            server = stack.enter_context(EmbeddedValkey(directory, port))
        except (EmbeddedValkeyError, OSError) as error:
            raise click.ClickException(str(error)) from error
        click.echo(f"valkey ready: {server.url}")
        ended.wait()


if __name__ == "__main__":
    main()
