"""The pages of AI Receptionist."""

from __future__ import annotations

from gatekeeper.bootstrap import Parts
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.calls import add_calls
from gatekeeper.web.portal.doorkeeper import Doorkeeper
from gatekeeper.web.portal.topoff_settings import add_topoff_settings


def receptionist_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("receptionist", doorkeeper)
    add_calls(pages, parts)
    add_topoff_settings(pages, parts)
    return pages
