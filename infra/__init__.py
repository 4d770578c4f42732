"""What the system stands on: the engines on one machine (local/), and how an environment is made (setup.sh)."""
