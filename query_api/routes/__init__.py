"""The GET routes of the API, in one file per section of the REST contract."""
