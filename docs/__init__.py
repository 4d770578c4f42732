"""The documentation, and the programs that draw and generate parts of it."""
