"""What `simulate` says when there is nothing to call."""

from __future__ import annotations

from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import DEAD_PORT, Gatekeeper
from tests.cli.stories import NUMBER

UNKNOWN = "acct_000000000000"


def test_nothing_answers(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    ledger.numbers.assign_number(NUMBER, account_id)
    line = gatekeeper.refused("simulate", PORT=str(DEAD_PORT))
    assert line.startswith(f"nothing answers at http://127.0.0.1:{DEAD_PORT}: ")
    line = gatekeeper.refused("simulate", "--target", f"http://localhost:{DEAD_PORT}/")
    assert line.startswith(f"nothing answers at http://localhost:{DEAD_PORT}: ")
    assert ledger.accounts.account(account_id).balance == 3


def test_an_address_elsewhere(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    ledger.numbers.assign_number(NUMBER, account_id)
    for target, says in (
        ("http://example.com", "calls this machine alone"),
        ("127.0.0.1:8000", "takes http://host:port"),
        ("http://127.0.0.1:odd", "nothing answers"),
    ):
        assert says in gatekeeper.refused("simulate", "--target", target)


def test_an_account_that_is_not_there_is_not_one_without_numbers(
    gatekeeper: Gatekeeper, account_id: str
) -> None:
    assert gatekeeper.refused("simulate", "--account", UNKNOWN) == f"there is no account {UNKNOWN}"
    assert "none of these" in gatekeeper.refused("simulate", "--account", account_id)
    assert "no account has a number" in gatekeeper.refused("simulate")
