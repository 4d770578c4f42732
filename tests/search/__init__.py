"""Tokens, queries and ranking of the search."""
