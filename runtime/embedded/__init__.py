"""The embedded profile: SQLite, on one machine."""
