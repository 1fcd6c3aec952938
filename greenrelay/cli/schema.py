"""``greenrelay schema``: the JSON Schema of configuration files, for editors.

Source: Configuration, the item on ``greenrelay schema``.
"""

from __future__ import annotations

import json

import click

from greenrelay.cli.printing import fail
from greenrelay.config.mark import Problem, told
from greenrelay.config.plugin import known_kinds
from greenrelay.config.schema import schema as schema_of
from greenrelay.http.registry import middleware_specs


@click.command()
def schema() -> None:
    """Print a JSON Schema of configuration files.

    It knows the kinds and middleware that are installed. Editors that speak YAML find it by a
    first line such as "# yaml-language-server: $schema=greenrelay.schema.json".
    """
    problems: list[Problem] = []
    kinds, specs = known_kinds(problems), middleware_specs(problems)
    if problems:
        fail("\n".join(told(problems)))
    click.echo(json.dumps(schema_of(kinds, specs), indent=2))
