"""Runs the demo: starts everything, plays the story, shows the sums, and keeps going if asked."""

from __future__ import annotations

import random
import shlex
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

import click
from rich.console import Console
from rich.live import Live

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.demo.board import draw_board, draw_sums
from gatekeeper.cli.demo.cast import Customer
from gatekeeper.cli.demo.story import CALLER, Story, StoryStuckError, call_out
from gatekeeper.cli.demo.sums import Sum, reckon
from gatekeeper.ledger.sign_ins import LINK_LIFE_S
from gatekeeper.sandbox.caller import CallResult, TwilioCaller
from gatekeeper.sandbox.stack import ADMIN_EMAIL, LocalStack, StackError
from gatekeeper.settings import load_settings, refuse_live_key

_PACE_S = 0.15
_BETWEEN_CALLS_S = 1.0
_ENDINGS: Final = (signal.SIGTERM, signal.SIGHUP)
#: Of the calls that go on: about so many are made by AI Calling.
_OUTBOUND_SHARE = 0.25


@click.command()
@click.option("--once", is_flag=True, help="Play the story, check the sums, and exit.")
def demo(*, once: bool) -> None:
    """Run everything on this machine and watch calls come in; no accounts or keys needed.

    Ends with the sums, and exit code 1 if any differs.
    """
    refuse_live_key()
    sys.exit(0 if _run(once=once) else 1)


def _run(*, once: bool) -> bool:
    console = Console()
    _end_as_with_ctrl_c()
    console.print("Starting Valkey, Stripe and a mailbox (sandbox), web, relay and workers ...")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="gatekeeper-demo-") as directory,
            LocalStack(Path(directory)) as stack,
        ):
            return _play(stack, console, once=once)
    except (StackError, StoryStuckError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.print("Stopped before the sums.")
        return True


def _end_as_with_ctrl_c() -> None:
    """Let SIGTERM, and a terminal that is closed, end everything that the demo has started.

    Who starts it so that it outlives its terminal, as by nohup, has it go on.
    """
    for number in _ENDINGS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # A terminal that is closed may tell twice, by its shell and by the system; one is enough, and
    # another must not disturb the end.
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _play(stack: LocalStack, console: Console, *, once: bool) -> bool:
    stack.start()
    settings_file = _write_settings(stack)
    parts = Parts(load_settings(_env_file=None, **stack.named_settings))
    show = _Show(stack, parts, console, paced=not once and console.is_terminal)
    sums = show.play()
    console.print(draw_sums(sums))
    right = all(line.agrees for line in sums)
    console.print("Every sum agrees." if right else "[bold red]Some sums differ.[/bold red]")
    if not once:
        _tell_how_to_look_inside(console, settings_file)
        _tell_how_to_sign_in(console, parts, show.addressees)
        with suppress(KeyboardInterrupt):
            show.go_on()
        console.print("Stopped.")
    return right


def _write_settings(stack: LocalStack) -> Path:
    """Write the demo's settings where a shell can read them; they go when the demo ends."""
    file = stack.directory / "demo.env"
    file.write_text("".join(f"{n}={shlex.quote(text)}\n" for n, text in stack.settings.items()))
    return file


def _tell_how_to_look_inside(console: Console, settings_file: Path) -> None:
    console.print(
        "To look inside, in another terminal:\n"
        f"  set -a; . {shlex.quote(str(settings_file))}; set +a\n"
        f"  {shlex.quote(str(Path(sys.executable).with_name('gatekeeper')))} account list\n",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _tell_how_to_sign_in(console: Console, parts: Parts, addressees: dict[str, str]) -> None:
    console.print(
        "To sign in to the portal; each link works once, within"
        f" {LINK_LIFE_S // 60} minutes, and the sign-in page e-mails more to the mailbox:",
        soft_wrap=True,
    )
    for name, email in addressees.items():
        url = parts.sign_in_links.url(parts.ledger.sign_ins.new_link(email))
        console.print(
            f"  {name}, {email}\n    {url}", highlight=False, markup=False, soft_wrap=True
        )
    console.print()


def _call_either_way(caller: TwilioCaller, customer: Customer) -> CallResult:
    if random.random() < _OUTBOUND_SHARE:  # noqa: S311 - any will do
        return call_out(caller, customer)
    return caller.call(to=customer.number, from_=CALLER)


class _Show:
    """The story and its display, which is a live table on a terminal and lines elsewhere."""

    def __init__(self, stack: LocalStack, parts: Parts, console: Console, *, paced: bool) -> None:
        self._console = console
        self._scenes: list[str] = []
        self._addresses = {
            "Portal": f"{stack.web_url}/",
            "Queues": f"{stack.web_url}/ops/queues/  (sign in as {ADMIN_EMAIL})",
            "Mailbox": f"{stack.mailbox.http_url}/",
            "Ready?": f"{stack.web_url}/readyz",
        }
        # Transient: the sums come after the story, and the table again while calls go on.
        self._live = (
            Live(console=console, auto_refresh=False, transient=True)
            if console.is_terminal
            else None
        )
        self._story = Story(
            stack, parts, self._tell, self._refresh, pace_s=_PACE_S if paced else 0.0
        )

    @property
    def addressees(self) -> dict[str, str]:
        """The people of the demo: what each is there, and the address to sign in with."""
        owners = {f"owner of {one.name}": one.email for one in self._story.customers}
        viewers = {
            f"viewer of {one.name}": one.viewer for one in self._story.customers if one.viewer
        }
        return {**owners, **viewers, "admin": ADMIN_EMAIL}

    def play(self) -> list[Sum]:
        """Play the story; returns the reckoning."""
        if self._live is None:
            self._story.play()
        else:
            with self._live:
                self._story.play()
                self._refresh()
        return reckon(self._story)

    def go_on(self) -> None:
        """Keep taking a call a second until interrupted."""
        self._tell("Calls go on, one a second, until you press Ctrl-C")
        stack = self._story.stack
        with stack.caller() as caller, Live(console=self._console, auto_refresh=False) as live:
            while True:
                customer = random.choice(self._story.customers)  # noqa: S311 - any will do
                customer.calls.append(_call_either_way(caller, customer))
                live.update(draw_board(self._story, self._scenes, self._addresses), refresh=True)
                stack.check_running()
                time.sleep(_BETWEEN_CALLS_S)

    def _tell(self, scene: str) -> None:
        self._scenes.append(scene)
        if self._live is None:
            self._console.print(scene)
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            board = draw_board(self._story, self._scenes, self._addresses)
            self._live.update(board, refresh=True)
