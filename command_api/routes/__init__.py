"""Everything that changes something; a file for each section of the REST contract."""
