"""Clients that generators make out of /openapi.json, used against a live server."""
