"""Counters and rankings on Redis, and the data that only Redis has: token buckets.

All of it may be lost: counters are built again from the log, and buckets refill. docs/reference/redis-keys.md lists
every key with its owner and bound.
"""
