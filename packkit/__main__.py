"""``python -m packkit``: the command line."""

from packkit.cli import main

main()
