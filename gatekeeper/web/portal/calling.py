"""The pages of AI Calling: the calls that went out from an account's numbers."""

from __future__ import annotations

from typing import Final

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.call import Direction
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.calls import CallPages, add_calls
from gatekeeper.web.portal.doorkeeper import Doorkeeper

_CALLS: Final = CallPages(
    Direction.OUTBOUND,
    path="/a/<account_id>/calling/calls",
    title="AI Calling",
    number_label="From number",
    none_yet="No outgoing calls yet",
    when_listed=(
        "A call that AI Calling makes from one of your numbers is listed here within seconds of"
        " being picked up. It takes a credit, as a call that comes in does."
    ),
    file_name="outgoing-calls.csv",
)


def calling_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("calling", doorkeeper)
    add_calls(pages, parts, _CALLS)
    return pages
