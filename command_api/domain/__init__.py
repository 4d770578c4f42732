"""The decisions: a file each, pure. Read one downwards: command, state, decide."""
