"""Stripe: charging cards for top-offs, selling credits, reading declines, events and cards."""
