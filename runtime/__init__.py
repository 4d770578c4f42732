"""Settings, the composition roots, the `minitwitter` command line, telemetry: the only room that knows the profile."""
