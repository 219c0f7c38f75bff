"""`python -m gatekeeper.sandbox.stripe`: the sandbox as a process of its own."""

import signal
from threading import Event

import click

from gatekeeper.sandbox.stripe.server import SandboxStripe


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address.")
@click.option("--port", default=0, show_default=True, help="0 for any free port.")
@click.option("--webhook-url", help="Where events are delivered, on this machine.")
@click.option("--webhook-secret", default="whsec_sandbox", help="What deliveries are signed with.")
@click.option("--secret-key", help="The only API key to accept; any test key without it.")
def main(
    host: str, port: int, webhook_url: str | None, webhook_secret: str, secret_key: str | None
) -> None:
    """Run a stand-in for Stripe until SIGTERM or SIGINT."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        sandbox = SandboxStripe(
            port,
            host=host,
            webhook_url=webhook_url,
            webhook_secret=webhook_secret,
            secret_key=secret_key,
        )
        sandbox.start()
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Sandbox Stripe is ready at {sandbox.base_url}")
    stopped.wait()
    sandbox.stop()


if __name__ == "__main__":
    main()
