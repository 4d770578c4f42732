"""The command side on SQLite, for the embedded profile: decision state, idempotency and credentials in log.db."""
