"""The routes of commands, one file for each section of the REST API."""

from . import problems as problems  # maps the errors that routes declare to problems
