"""The text of searches: words and trigrams, cut the same way in every engine."""
