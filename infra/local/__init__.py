"""The real engines on one machine without a container engine: Kafka, Cassandra, Redis, PostgreSQL, S3 on 127.0.0.1.

One module for each engine: it knows its requirements, downloads its packages once, writes its configuration, and
detects when it answers. running.py starts, watches and stops engines, and stores their state in a data directory.
"""
