"""Real history from files: read and checked here, and handed in batches to whoever owns the log."""
