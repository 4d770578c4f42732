"""Caches in front of read ports: rows stay in this process until an event invalidates them."""
