"""The embedded profile's log: SQLite."""
