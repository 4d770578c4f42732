"""Streams and the workers that run them."""
