"""Checkout: sessions, and the pages on which a person pays or saves a card.

Source: https://docs.stripe.com/api/checkout/sessions.
"""
