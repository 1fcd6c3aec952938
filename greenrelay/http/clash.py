"""Routes of hand-written blueprints that somebody else answers as well.

Source: HTTP, "Entries" (two routes that clash are configuration errors). Which routes a blueprint
has shows only when it is registered, so that is done with a spare app before anything is mounted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flask import Blueprint, Flask
from werkzeug.routing import Rule

from greenrelay.config.entries import HttpEndpoint, HttpRouter
from greenrelay.config.mark import Problem
from greenrelay.http.pattern import flask_path
from greenrelay.runtime.entry import import_object

_PARAMETER = re.compile(r"<(?:([^<>:]+):)?[^<>]+>")
# Both are what a parameter is of which no converter is told.
_SAME = {None: "string", "default": "string"}
# Flask answers these for every rule, unless one is there for them.
_AUTOMATIC = frozenset({"HEAD", "OPTIONS"})


def blueprint_clashes(
    app: Flask, routers: Iterable[HttpRouter], endpoints: Iterable[HttpEndpoint]
) -> list[Problem]:
    """Return a problem for each route of a blueprint that another route answers.

    Everything can be mounted on ``app``, which is left as it is.
    """
    listed = list(routers)
    first = dict(_of_endpoints(listed, endpoints))
    spare = Flask(app.import_name, static_folder=None)
    # A blueprint may look into it when it is registered.
    spare.config.update(app.config)
    problems = []
    for router in listed:
        for rule in _new_rules(spare, router):
            here = f'{rule.endpoint} of "{router.id}" at {router.at("blueprint")}'
            for method in sorted((rule.methods or set()) - _AUTOMATIC):
                where = f"{rule.host or ''}|{rule.subdomain or ''}|{_shape(rule.rule)}"
                other = first.setdefault((router.server, method, where), here)
                if other != here:
                    what = f"{method} {rule.rule} of {rule.endpoint} clashes with that of {other}"
                    problems.append(router.problem("blueprint", what))
    return problems


def _of_endpoints(
    routers: list[HttpRouter], endpoints: Iterable[HttpEndpoint]
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield for each route of an endpoint server, method and shape, and whose it is."""
    by_id = {router.id: router for router in routers}
    for each in endpoints:
        router = by_id[each.router]
        where = f"||{_shape(router.prefix + flask_path(each.path.text))}"
        for method in each.method:
            yield (router.server, method, where), f'"{each.id}" at {each.at("path")}'


def _new_rules(spare: Flask, router: HttpRouter) -> list[Rule]:
    """Return the rules that the blueprint of a router brings, if it has one."""
    if router.blueprint is None:
        return []
    before = {id(rule) for rule in spare.url_map.iter_rules()}
    blueprint = import_object(router.blueprint)
    assert isinstance(blueprint, Blueprint), "checked before"
    try:
        spare.register_blueprint(blueprint, url_prefix=router.prefix.rstrip("/") or None)
    except Exception:
        # Its own code runs then, which may need what only the real app has.
        return []
    return [rule for rule in spare.url_map.iter_rules() if id(rule) not in before]


def _shape(rule: str) -> str:
    """Return a rule without the names of its parameters, so that those alike are equal."""
    return _PARAMETER.sub(lambda found: f"<{_SAME.get(found[1], found[1])}>", rule)
