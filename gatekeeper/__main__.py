"""Runs the command line as `python -m gatekeeper`, where the project is not installed."""

from gatekeeper.cli import main

main()
