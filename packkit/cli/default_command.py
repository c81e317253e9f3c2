"""A group of commands of which one may be left unnamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer import Context

__all__ = ["DEFAULT_COMMAND", "DefaultCommandGroup"]

DEFAULT_COMMAND = "run"
"""Name of the command that is meant where none is named; hidden, for nobody has to know it."""


class DefaultCommandGroup(TyperGroup):
    """Runs `DEFAULT_COMMAND` where the first argument is no command's name.

    ``--help`` shows its arguments and options, and the other commands below them. A file that is
    called like a command is named with its folder, as ``./report``.
    """

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Puts the default command's name before arguments that name none."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def get_help(self, ctx: Context) -> str:  # type: ignore[override]
        """Returns the help of the default command together with the list of the others."""
        default = self.commands[DEFAULT_COMMAND]
        shown = TyperGroup(
            name=self.name,
            commands=dict(self.commands),
            params=default.params,
            help=default.help,
            subcommand_metavar="| COMMAND ...",
            rich_markup_mode=self.rich_markup_mode,
        )
        return shown.get_help(ctx)
