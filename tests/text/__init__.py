"""Texts of tweets: length, entities, addresses of websites."""
