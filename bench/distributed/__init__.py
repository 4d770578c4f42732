"""The figures of the distributed profile, `python -m bench.distributed`: our processes on the real engines."""
