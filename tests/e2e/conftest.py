"""One stage for all tests of killed workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.stage import Stage


@pytest.fixture(scope="package")
def running_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("stage")) as stage:
        yield stage


@pytest.fixture
def stage(running_stage: Stage) -> Iterator[Stage]:
    """A stage on which nothing is held or owed, whatever became of the test before."""
    running_stage.reset()
    yield running_stage
    running_stage.reset()
