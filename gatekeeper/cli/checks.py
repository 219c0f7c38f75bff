"""`gatekeeper doctor` and `gatekeeper release`: what is wrong before a customer notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.diagnosis import Finding, Status, check_before_release, diagnose
from gatekeeper.cli.output import json_option, show_json
from gatekeeper.settings import SettingsError


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Check the settings and everything they lead to; exit code 1 when anything fails."""
    _report(diagnose, as_json=as_json)


@click.command()
@json_option
def release(*, as_json: bool) -> None:
    """Check what must stop a deployment, and migrate the database; exit code 1 when it must."""
    _report(check_before_release, as_json=as_json)


def _report(check: Callable[[Parts], Iterator[Finding]], *, as_json: bool) -> None:
    findings: list[Finding] = []
    for finding in _with_settings(check):
        findings.append(finding)
        if not as_json:  # as soon as it is known: some take seconds
            click.echo(f"{finding.status:<5} {finding.name}: {finding.detail}")
    failed = sum(finding.status is Status.FAIL for finding in findings)
    if as_json:
        show_json({"ok": not failed, "checks": [_document(finding) for finding in findings]})
    if failed:
        raise click.ClickException(f"{failed} of {len(findings)} checks failed")


def _with_settings(check: Callable[[Parts], Iterator[Finding]]) -> Iterator[Finding]:
    """Check, or say what is wrong with the settings, without which nothing can be checked."""
    try:
        parts = load_parts()
    except SettingsError as error:
        yield from (Finding("settings", Status.FAIL, problem) for problem in error.problems)
        return
    yield from check(parts)


def _document(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "status": finding.status.value, "detail": finding.detail}
