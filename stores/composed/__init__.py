"""Read ports that are composed of other ports, on any engine."""
