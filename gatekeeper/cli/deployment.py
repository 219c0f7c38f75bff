"""The deployment that a command works on, as the environment says."""

from __future__ import annotations

from gatekeeper.bootstrap import Parts
from gatekeeper.settings import load_settings


def load_parts() -> Parts:
    """Make the parts from the environment as it is now. Raises SettingsError."""
    return Parts(load_settings())
