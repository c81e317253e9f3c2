"""The command line: one library call a command.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once. Progress goes
to stderr, results to stdout; ``--json`` prints the report alone.

Other packages add commands: a function that takes the application, named under the entry points
``packkit.commands``.
"""
