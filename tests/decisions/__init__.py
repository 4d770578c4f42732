"""Each decision as given, when, then."""
