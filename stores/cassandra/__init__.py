"""The read models on Cassandra: a file for each port, named as in stores/sqlite, and the tables in migrations/.

Every write has the timestamp of its event, so that redelivery and interleaving change nothing; no handler reads.
session.py sends statements to the cluster, sink.py commits batches, and buckets.py stores unbounded lists.
"""
