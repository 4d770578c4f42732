"""The read models of search on PostgreSQL: a file a port, named as in stores/sqlite, and the tables in migrations/.

All tables of one generation are in one schema, with the positions they reflect: a rebuild fills another schema.
"""
