from __future__ import annotations

import pytest

from gatekeeper.ledger.ledger import Ledger
from tests.ledger.desk import Desk


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    """An account that is not opened yet."""
    return Desk(ledger)
