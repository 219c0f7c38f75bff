"""A whole Gatekeeper on this machine: its real processes, and stand-ins for everything outside."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gatekeeper.sandbox.caller import TwilioCaller
from gatekeeper.sandbox.mailbox import Mailbox
from gatekeeper.sandbox.process_session import kill_session
from gatekeeper.sandbox.stripe.client import SandboxControl
from gatekeeper.sandbox.stripe.server import SandboxStripe
from gatekeeper.sandbox.valkey import EmbeddedValkey

ACCOUNT_SID: Final = "AC" + "5a" * 16
AUTH_TOKEN: Final = "sandbox-auth-token"  # noqa: S105 - signs calls on this machine alone
STRIPE_KEY: Final = "sk_test_sandbox"
WEBHOOK_SECRET: Final = "whsec_sandbox"  # noqa: S105 - the same
ADMIN_EMAIL: Final = "oncall@gatekeeper.example"
RECEPTIONIST_URL: Final = "https://receptionist.example.com/twiml"
#: The processes of the Procfile, by name, with their command's arguments.
PROCESSES: Final[dict[str, tuple[str, ...]]] = {
    "web": ("serve",),
    "relay": ("relay",),
    "charges": ("work", "charges"),
    "emails": ("work", "emails"),
    "upkeep": ("work", "upkeep"),
}
_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0


class StackError(RuntimeError):
    """A process did not start, or ended by itself. The message has the end of its output."""


def free_port() -> int:
    """Pick a port that nothing on this machine listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LocalStack:
    """An embedded Valkey, a sandbox Stripe, a mailbox, and the processes of the Procfile.

    `directory` takes their data and their output (`<name>.log`). `extra_env` adds to or replaces
    what the processes are told; nothing of this process's own settings reaches them. Use it as a
    context manager: the stand-ins run then, and `start` starts processes.
    """

    def __init__(self, directory: Path, *, extra_env: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.web_port = free_port()
        self.valkey = EmbeddedValkey(directory / "valkey")
        self.stripe = SandboxStripe(
            webhook_url=f"{self.web_url}/stripe/webhook",
            webhook_secret=WEBHOOK_SECRET,
            secret_key=STRIPE_KEY,
        )
        self.mailbox = Mailbox()
        self._extra_env = dict(extra_env or {})
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stand_ins = ExitStack()

    @property
    def web_url(self) -> str:
        """Where the web process answers."""
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def settings(self) -> dict[str, str]:
        """The environment of the processes, as far as it is Gatekeeper's."""
        return {
            "PUBLIC_URL": self.web_url,
            "REDIS_URL": self.valkey.url,
            "DATABASE_URL": f"sqlite:///{self.directory.absolute() / 'gatekeeper.sqlite3'}",
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "STRIPE_SECRET_KEY": STRIPE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "STRIPE_API_BASE": self.stripe.base_url,
            "SMTP_URL": self.mailbox.smtp_url,
            "MAIL_FROM": "billing@gatekeeper.example",
            "SUPPORT_EMAIL": "support@gatekeeper.example",
            "CREDIT_PRICE": "25",
            "ANSWER_URL": RECEPTIONIST_URL,
            "PORT": str(self.web_port),
            "WEB_HOST": "127.0.0.1",
            "SECRET_KEY": "sandbox-secret-key-of-32-characters",
            "ADMIN_EMAILS": ADMIN_EMAIL,
            "OPS_USERNAME": "oncall",
            "OPS_PASSWORD": "sandbox",
            **self._extra_env,
        }

    @property
    def named_settings(self) -> dict[str, str]:
        """The same by the names of the fields of `gatekeeper.settings.Settings`."""
        return {name.lower(): value for name, value in self.settings.items()}

    @property
    def control(self) -> SandboxControl:
        """Tells the sandbox Stripe what to do."""
        return SandboxControl(self.stripe.base_url)

    def caller(self, seed: int | None = None) -> TwilioCaller:
        """Make a caller that treats the web process as Twilio does."""
        return TwilioCaller(
            f"{self.web_url}/voice/incoming",
            f"{self.web_url}/voice/status",
            f"{self.web_url}/voice/fallback",
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            seed=seed,
        )

    def start(self, *names: str) -> None:
        """Start processes by name, all of them by default, and wait until the web answers.

        Raises StackError.
        """
        for name in names or PROCESSES:
            self._processes[name] = self._spawn(name, PROCESSES[name])
        if "web" in (names or PROCESSES):
            self._wait_for_web()

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """Return a running process."""
        return self._processes[name]

    def stop(self, *names: str) -> None:
        """Let processes end in order, all of them by default; kill what does not."""
        stopping = [self._processes.pop(name) for name in names or tuple(self._processes)]
        for process in stopping:
            process.terminate()
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        for process in stopping:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                kill_session(process)

    def kill(self, name: str) -> None:
        """Kill a process and everything it started with SIGKILL."""
        kill_session(self._processes.pop(name))

    def check_running(self) -> None:
        """Raise StackError when a process has ended by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise StackError(f"{name} ended by itself:\n{self._tail(name)}")

    def __enter__(self) -> Self:
        with ExitStack() as started:
            for stand_in in (self.valkey, self.stripe, self.mailbox):
                started.enter_context(stand_in)
            self._stand_ins = started.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        self._stand_ins.close()

    def _spawn(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        inherited = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR") if key in os.environ
        }
        with (self.directory / f"{name}.log").open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - this interpreter and names from PROCESSES
                [sys.executable, "-m", "gatekeeper", *arguments],
                env={**inherited, **self.settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A .env of the folder that this was started in must not reach the processes.
                cwd=self.directory,
                start_new_session=True,
            )

    def _wait_for_web(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not self._web_answers():
            self.check_running()
            if time.monotonic() > deadline:
                raise StackError(f"the web process does not answer:\n{self._tail('web')}")
            time.sleep(0.02)

    def _web_answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.web_port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _tail(self, name: str, lines: int = 15) -> str:
        output = (self.directory / f"{name}.log").read_text(errors="replace")
        return "\n".join(output.splitlines()[-lines:])
