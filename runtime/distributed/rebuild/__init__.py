"""Replaying the log beside the live stores, in scratch generations: to rebuild read models, and to verify them."""
