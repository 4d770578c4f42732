"""`make bench`: every figure beside its limit, taken in the same run on the same machine."""
