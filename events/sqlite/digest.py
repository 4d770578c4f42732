"""The digest of tables, under the name by which the adapters of SQLite know it (events/digest.py)."""

from ..digest import unordered_digest

__all__ = ["unordered_digest"]
