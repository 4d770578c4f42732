"""Exports of the log, without processes."""
