"""Caches in front of read ports. Rows stay in this process until an event invalidates them."""
