"""The ledger: every balance, call and top-off that is true now, in Redis.

A balance changes only in a verb: one Lua script that checks, changes, logs and writes down the
work that is now owed, all or nothing.
"""
