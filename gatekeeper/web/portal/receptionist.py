"""The pages of AI Receptionist."""

from __future__ import annotations

from typing import Final

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.call import Direction
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.calls import CallPages, add_calls
from gatekeeper.web.portal.doorkeeper import Doorkeeper
from gatekeeper.web.portal.topoff_settings import add_topoff_settings

_CALLS: Final = CallPages(
    Direction.INBOUND,
    path="/a/<account_id>/calls",
    title="AI Receptionist",
    number_label="To number",
    none_yet="No calls yet",
    when_listed="Calls are listed here within seconds of coming in.",
    file_name="calls.csv",
)


def receptionist_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("receptionist", doorkeeper)
    add_calls(pages, parts, _CALLS)
    add_topoff_settings(pages, parts)
    return pages
