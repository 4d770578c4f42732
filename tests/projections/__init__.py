"""Projectors on the adapters in memory and SQLite, with duplicates and reordering."""
