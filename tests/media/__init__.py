"""Checking of uploaded pictures and videos."""
