"""`python -m runtime.cli`: the command line where nothing is installed."""

from . import main

main()
