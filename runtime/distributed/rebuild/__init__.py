"""Applies the log to scratch generations beside the live stores: to rebuild read models, and to verify them."""
