"""Stripe's API resources, one module each; `ROUTES` in each says what it serves."""
