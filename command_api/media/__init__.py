"""What is taken as a medium: judged by its content, bounded before it is decoded, and freed of metadata.

Nothing here encodes anew: a picture keeps every pixel as it was. What may stay is listed, block by block, and all else
is left out, so that a new kind of metadata is left out as well.
"""
