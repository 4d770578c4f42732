"""The distributed profile: one process a role, on Kafka, Cassandra, Redis, PostgreSQL and S3. Every one can be doubled.

`process.py` is what all of them have: HTTP for health, waiting for engines, a clean end. Each of the others is a role.
"""
