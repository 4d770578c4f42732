"""The query side: it answers from read models and changes nothing (law 7)."""
