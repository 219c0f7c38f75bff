"""Subscriptions and their invoices: what they look like, how they go on, and the clocks they keep.

From the ground up: `periods` (arithmetic), `subscription_bodies` and `invoice_bodies` (shapes),
`cycles` (the current period and what it costs), `invoicing`, `lifecycle` (what a subscription goes
through), `plan_changes`, `clocks` and `advancing` (what time it is, and moving it).
"""
