"""Promises of one adapter beyond its port."""
