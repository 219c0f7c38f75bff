"""The README's first command, and calls elsewherest a gate that is running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.sandbox.stack import LocalStack
from gatekeeper.settings import load_settings

pytestmark = pytest.mark.slow


def _gatekeeper(
    *arguments: str, env: dict[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gatekeeper", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **env},
    )


def test_the_demo_plays_and_its_sums_agree(tmp_path: Path) -> None:
    ended = _gatekeeper("demo", "--once", env={}, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Every sum agrees." in ended.stdout
    assert "differs" not in ended.stdout


def test_the_demo_does_not_run_beside_a_live_key(tmp_path: Path) -> None:
    live = "sk_live_abcdefgh"
    ended = _gatekeeper("demo", "--once", env={"STRIPE_SECRET_KEY": live}, cwd=tmp_path)
    assert ended.returncode == 1
    assert "live key" in ended.stderr
    assert live not in ended.stdout + ended.stderr


def test_simulated_calls_agree_with_the_ledger(tmp_path: Path) -> None:
    with LocalStack(tmp_path) as stack:
        stack.start("web")
        ledger = Parts(load_settings(_env_file=None, **stack.named_settings)).ledger
        for n in range(3):
            account_id = new_account_id()
            ledger.accounts.open_account(
                NewAccount(account_id, f"Customer {n}", "a@example.com", 20)
            )
            ledger.numbers.assign_number(f"+1555010010{n}", account_id)
        ended = _gatekeeper(
            "simulate",
            "--calls",
            "120",
            "--rate",
            "100",
            "--json",
            env=stack.settings,
            cwd=tmp_path,
        )
        report = json.loads(ended.stdout)
        assert ended.returncode == 0, ended.stderr
        assert report["differences"] == []
        assert (report["calls"], report["failed"]) == (120, 0)
        assert report["answered"] >= 60
        assert report["dropped"] > 0

        elsewhere = _gatekeeper(
            "simulate",
            "--calls",
            "1",
            "--target",
            "http://example.com",
            env=stack.settings,
            cwd=tmp_path,
        )
        assert elsewhere.returncode == 1
        assert "this machine" in elsewhere.stderr
