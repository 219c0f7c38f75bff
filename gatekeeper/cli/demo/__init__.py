"""`gatekeeper demo`: a whole Gatekeeper on this machine, and a story whose sums must come out."""
