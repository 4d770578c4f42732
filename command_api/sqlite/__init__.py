"""The command side's adapters for the embedded profile: decision state, idempotency and credentials in log.db."""
