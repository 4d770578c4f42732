"""The HTTP rules of both APIs."""
