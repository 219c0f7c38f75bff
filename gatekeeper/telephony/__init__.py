"""Twilio: the signature of its requests, their parameters, and the TwiML they are answered with."""
