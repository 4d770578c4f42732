"""PostgreSQL code that several adapters share."""
