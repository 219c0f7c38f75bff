"""The documents name tests, commands and files that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_test_that_a_document_names_exists() -> None:
    named = {
        reference
        for document in DOCUMENTS
        for reference in re.findall(r"`(tests/[\w/.]+(?:::\w+)?)`", document.read_text())
    }
    assert len(named) > 20
    missing = []
    for reference in sorted(named):
        file, _, test = reference.partition("::")
        path = ROOT / file
        if not path.exists() or (test and f"def {test}(" not in path.read_text()):
            missing.append(reference)
    assert missing == []


def test_every_file_that_a_document_links_to_exists() -> None:
    broken = [
        f"{document.name}: {target}"
        for document in DOCUMENTS
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_every_command_that_a_document_names_exists() -> None:
    from gatekeeper.cli import COMMANDS  # noqa: PLC0415 - the list of commands is what is tested

    named = {
        command
        for document in DOCUMENTS
        for command in re.findall(r"(?:^|`|\s)gatekeeper ([a-z]+)\b", document.read_text())
        if f"`gatekeeper {command}" in document.read_text()
    }
    assert named <= set(COMMANDS)
    assert {"explain", "audit", "doctor"} <= named
