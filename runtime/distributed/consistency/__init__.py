"""Consistency across stores: the positions that each has reached, and whether all were made from one log."""
