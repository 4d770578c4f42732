"""Check pictures and videos: detect the type by content, limit the size before decoding, remove metadata.

Nothing is encoded again, so a picture keeps every pixel. The blocks to keep are listed and all others are removed, so
that new kinds of metadata are removed as well.
"""
