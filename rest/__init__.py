"""The HTTP edge that both APIs share: problems, authentication, limits, signed tokens and cursors, resources."""
