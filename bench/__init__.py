"""How fast the gate is: `python -m bench`. See docs/performance.md."""
