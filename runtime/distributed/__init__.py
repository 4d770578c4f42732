"""The distributed profile: one process for each role, on Kafka, Cassandra, Redis, PostgreSQL and S3. Any role can run
several times.

`roles/process.py` has what all processes share: HTTP for health, waiting for engines, a clean shutdown. The other
modules of `roles/` are the roles.
"""
