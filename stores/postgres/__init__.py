"""The read models of search and trends on PostgreSQL: a file a port, named as in stores/sqlite; tables in migrations/.

All tables of one generation are in one schema, with the positions they reflect: a rebuild fills another schema.
"""
