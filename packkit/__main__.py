"""``python -m packkit``: the command line."""

from packkit.cli.main import main

main()
