"""Events, their codec and seals, the log."""
