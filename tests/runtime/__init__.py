"""Parts that compose adapters and processes."""
