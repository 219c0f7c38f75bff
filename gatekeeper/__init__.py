"""Gatekeeper: one prepaid credit for each answered call, automatic top-offs, polite drops."""
