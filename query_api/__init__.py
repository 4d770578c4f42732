"""The query side: serves read models and changes nothing (law 7)."""
