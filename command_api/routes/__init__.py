"""Everything that changes something; a file for each section of the REST contract."""

from . import problems as problems  # routes declare errors, which have their problems from here
