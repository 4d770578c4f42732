"""What both APIs share at the HTTP edge: problems, authentication, signed tokens and cursors, resource shapes."""
