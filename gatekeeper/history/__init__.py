"""History: every entry of the log in SQL for good, and the answers to what looks back.

The relay copies the log here; nobody on a telephone waits for it. SQLite or PostgreSQL.
"""
