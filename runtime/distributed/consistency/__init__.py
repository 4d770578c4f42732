"""Consistency across stores: which positions each has reached, and whether all are made from one log."""
