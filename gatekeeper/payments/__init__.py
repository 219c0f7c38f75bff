"""Stripe: charging cards for top-offs, reading declines, events and cards."""
