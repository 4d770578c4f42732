"""Stories of several requests through the API, in one process."""
