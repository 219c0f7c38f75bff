"""What people watch while the demo plays: a table of customers, and the last scenes."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from gatekeeper.cli.demo.story import Story
from gatekeeper.cli.demo.sums import Sum
from gatekeeper.domain.account import Account

_SCENES_SHOWN = 4


def draw_board(story: Story, scenes: list[str], addresses: dict[str, str]) -> Group:
    """Draw the customers as the ledger has them, the last scenes, and where to look."""
    table = Table(title="Gatekeeper", title_justify="left")
    table.add_column("customer")
    for name in ("balance", "calls", "answered", "dropped"):
        table.add_column(name, justify="right")
    table.add_column("auto top-off")
    for customer in story.customers:
        account = story.parts.ledger.accounts.account(customer.account_id)
        table.add_row(
            customer.name,
            str(account.balance),
            str(len(customer.calls)),
            str(customer.answered),
            str(customer.dropped),
            _topoff(account),
        )
    return Group(table, *map(Text, scenes[-_SCENES_SHOWN:]), Text(), _draw_addresses(addresses))


def _topoff(account: Account) -> str:
    if account.topoff_state is not None:
        return f"[yellow]{account.topoff_state}[/yellow]"
    if account.blocked_by is not None:
        return f"[red]{account.blocked_by.label}[/red]"
    if not account.topoff.enabled:
        return "off"
    return f"on: below {account.topoff.threshold}, add {account.topoff.amount}"


def _draw_addresses(addresses: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, address in addresses.items():
        table.add_row(name, Text(address))
    return table


def draw_sums(sums: list[Sum]) -> Table:
    """Draw the reckoning: what must be, what is, and whether they agree."""
    table = Table(title="The sums", title_justify="left")
    table.add_column("what")
    table.add_column("must be", justify="right")
    table.add_column("is", justify="right")
    table.add_column("")
    for line in sums:
        verdict = "[green]ok[/green]" if line.agrees else "[bold red]differs[/bold red]"
        table.add_row(line.what, str(line.must_be), str(line.is_), verdict)
    return table
