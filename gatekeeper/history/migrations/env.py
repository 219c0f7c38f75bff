"""Alembic's environment: runs the revisions on the connection that `migrate` hands over."""

from __future__ import annotations

from alembic import context

from gatekeeper.history.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
