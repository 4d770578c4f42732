"""The object store in a folder: for one machine."""
