"""The decisions: pure functions, one file each. Read a file from the top: command, state, `decide`, wiring."""
