"""Read models on Redis: counters. And what is Redis's alone: token buckets.

Everything in it can be lost: counters are folded from the log again, buckets refill. docs/reference/redis-keys.md lists
every key with its owner and bound.
"""
