"""A real Valkey server of its own, for development: what it keeps, it keeps as the ledger demands.

`python -m gatekeeper.sandbox.valkey` runs one by itself; tests and the demo use `EmbeddedValkey`.
"""

from gatekeeper.sandbox.valkey.server import EmbeddedValkey, EmbeddedValkeyError

__all__ = ["EmbeddedValkey", "EmbeddedValkeyError"]
