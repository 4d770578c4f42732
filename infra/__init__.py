"""Infrastructure: the engines on one machine (local/), images, the edge, and the set-up of environments (setup.sh)."""
