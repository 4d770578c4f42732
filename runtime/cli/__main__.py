"""`python -m runtime.cli`: the command line without an installed `minitwitter`."""

from . import main

main()
