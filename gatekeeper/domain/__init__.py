"""The rules in plain Python. Nothing here knows of Redis, SQL, Flask, Stripe or Twilio."""
