"""Generated schemas, and golden files of events."""
