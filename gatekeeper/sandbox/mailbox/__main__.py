"""`python -m gatekeeper.sandbox.mailbox`: the mailbox as a process of its own."""

import signal
import sys
import threading

import click

from gatekeeper.sandbox.mailbox.server import Mailbox

PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--smtp-port", type=PORT, default=1025, show_default=True, help="0 picks a free one.")
@click.option("--http-port", type=PORT, default=8025, show_default=True, help="0 picks a free one.")
def main(smtp_port: int, http_port: int) -> None:
    """Take mail on loopback and show it on a web page, until SIGTERM or Ctrl-C."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        with Mailbox(smtp_port, http_port) as mailbox:
            click.echo(f"mailbox ready: {mailbox.smtp_url} {mailbox.http_url}")
            ended.wait()
    except OSError as error:
        sys.exit(f"mailbox: cannot listen on ports {smtp_port} and {http_port}: {error.strerror}")


if __name__ == "__main__":
    main()
