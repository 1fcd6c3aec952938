"""The ``greenrelay`` command.

Source: Operations, "Command line". It monkey-patches first, since everything it imports after
that has to be cooperative.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import click  # noqa: E402 - nothing may be imported before the patch

from greenrelay.cli.check import check  # noqa: E402
from greenrelay.cli.closes import closes  # noqa: E402
from greenrelay.cli.cluster import cluster  # noqa: E402
from greenrelay.cli.config import config  # noqa: E402
from greenrelay.cli.doctor import doctor  # noqa: E402
from greenrelay.cli.drain import drain  # noqa: E402
from greenrelay.cli.info import info  # noqa: E402
from greenrelay.cli.kill import kill  # noqa: E402
from greenrelay.cli.new import new  # noqa: E402
from greenrelay.cli.ps import ps  # noqa: E402
from greenrelay.cli.reload import reload  # noqa: E402
from greenrelay.cli.reports import reports  # noqa: E402
from greenrelay.cli.routes import routes  # noqa: E402
from greenrelay.cli.run import run  # noqa: E402
from greenrelay.cli.schema import schema  # noqa: E402
from greenrelay.cli.send import send  # noqa: E402
from greenrelay.cli.sockets import sockets  # noqa: E402
from greenrelay.cli.tail import tail  # noqa: E402
from greenrelay.cli.top import top  # noqa: E402
from greenrelay.cli.tree import tree  # noqa: E402


@click.group()
@click.version_option(package_name="greenrelay")
def main() -> None:
    """Erlang's processes for Flask: every request and every WebSocket a process."""


COMMANDS = (
    check,
    cluster,
    closes,
    config,
    doctor,
    drain,
    info,
    kill,
    new,
    ps,
    reload,
    reports,
    routes,
    run,
    schema,
    send,
    sockets,
    tail,
    top,
    tree,
)
for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
