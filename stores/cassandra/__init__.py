"""The read models on Cassandra: a file a port, named as in stores/sqlite, and the tables in migrations/.

Every write carries the timestamp of its event, so that redelivery and interleaving change nothing; no handler reads.
session.py speaks to the cluster, sink.py lands batches, buckets.py keeps lists that have no end.
"""
