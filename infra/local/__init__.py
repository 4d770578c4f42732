"""The real engines on one machine without a container engine: Kafka, Cassandra, Redis, PostgreSQL, S3 on 127.0.0.1.

An engine a file. Each knows what it needs, fetches its packages once, writes its configuration and says when it
answers; running.py starts, watches and stops whatever is asked for, and keeps what it knows in a data directory.
"""
