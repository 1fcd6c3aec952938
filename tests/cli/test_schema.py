"""Source: Configuration, the item on ``greenrelay schema``."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft202012Validator

from greenrelay.config.loader import read_source
from tests.cli.commands import greenrelay

ROOT = Path(__file__).parents[2]


def test_it_prints_a_schema_that_the_demo_fits() -> None:
    done = greenrelay("schema")

    assert (done.status, done.err) == (0, "")
    schema = json.loads(done.out)
    Draft202012Validator.check_schema(schema)
    root, _ = read_source(ROOT / "config.yaml")
    Draft202012Validator(schema).validate(root.plain())
