"""What every adapter on PostgreSQL needs, whichever room it is in."""
