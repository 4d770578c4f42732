"""Exports of the event log: files of events by topic and day, and a manifest of them.

`rows` has an event as a row, `parquet` and `ndjson` write rows to a file, `destination` puts files somewhere,
`manifest` lists them, and `export` does one after the other so that it can go on where it was stopped.
"""
