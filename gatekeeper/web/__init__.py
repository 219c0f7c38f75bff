"""The web process: Twilio's and Stripe's webhooks, health, metrics and the on-call dashboard."""
