"""The command side's adapters for the distributed profile: decision state, answers, credentials, keys and outbox."""
