"""The ``greenrelay`` command.

Source: Operations, "Command line". It monkey-patches first, since everything it imports after
that has to be cooperative. A command is imported when it is asked for: one that looks into a
program needs nothing of what serves it.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

from importlib import import_module  # noqa: E402 - nothing may be imported before the patch

import click  # noqa: E402

NAMES = (
    "check",
    "cluster",
    "closes",
    "config",
    "doctor",
    "drain",
    "info",
    "kill",
    "new",
    "ps",
    "reload",
    "reports",
    "routes",
    "run",
    "schema",
    "send",
    "sockets",
    "tail",
    "top",
    "tree",
)


class Commands(click.Group):
    """The commands, each in the module of its name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now, or None if there is none of that name."""
        if cmd_name not in NAMES:
            return None
        found = getattr(import_module(f"greenrelay.cli.{cmd_name}"), cmd_name)
        assert isinstance(found, click.Command), "a command has the name of its module"
        return found


@click.group(cls=Commands)
@click.version_option(package_name="greenrelay")
def main() -> None:
    """Erlang's processes for Flask: every request and every WebSocket a process."""


if __name__ == "__main__":
    main()
