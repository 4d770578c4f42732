"""The read models of search and trends on PostgreSQL: a file for each port, and the tables in migrations/.

The files are named as in stores/sqlite. All tables of one generation are in one schema, with the positions they
reflect; a rebuild fills another schema.
"""
