"""Everything that answers GET; a file for each section of the REST contract."""
