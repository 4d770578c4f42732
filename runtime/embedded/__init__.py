"""The composition root of the embedded profile: SQLite, one machine."""
