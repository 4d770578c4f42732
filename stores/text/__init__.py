"""The text of searches: words and trigrams, split the same way for every engine."""
