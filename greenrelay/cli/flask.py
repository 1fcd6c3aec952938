"""``flask greenrelay …``: the same commands under Flask's own command line.

Source: Operations, "Command line". Flask imports this for each of its commands, whichever is meant;
so nothing is patched or imported before one of greenrelay's is asked for.
"""

from __future__ import annotations

from importlib import import_module

import click

_MAIN = "greenrelay.cli.main"


class Later(click.Group):
    """The group of commands of greenrelay, which are imported once somebody asks for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return self._main().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None."""
        return self._main().get_command(ctx, cmd_name)

    @staticmethod
    def _main() -> click.Group:
        found = import_module(_MAIN).main
        assert isinstance(found, click.Group), "main is the group of all commands"
        return found


@click.group(cls=Later)
def greenrelay() -> None:
    """Erlang's processes for Flask: check, serve and look into programs."""
