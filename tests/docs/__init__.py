"""Commands, links and figures of the documentation."""
