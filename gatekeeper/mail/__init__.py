"""E-mail: what customers are told, and how it leaves."""
