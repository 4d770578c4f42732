"""Rules about the source, the image, the units of systemd."""
