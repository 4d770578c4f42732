"""Imports history from files: reads and checks them, and sends batches to the process that owns the log."""
