"""Stand-ins for the services outside, for development and tests.

A Redis-compatible server, a Stripe, a caller that behaves like Twilio, and a mailbox. Each is a
real server or client that is spoken to over a socket. They bind to and talk to loopback addresses
only, and nothing that serves customers imports them.
"""
