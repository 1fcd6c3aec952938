"""Other routes for an app that serves: built beside it, then put in the old ones' place.

Source: Configuration, the item on SIGHUP ("takes effect for new requests"). Flask takes no rule
back, and none any more once it has served. So the new ones are mounted on a spare app that serves
nobody. What that has then replaces what the app has, in one go and without a switch: a map of rules
and, for each blueprint, its functions. A request that has found its rule in the old map still
finds its view: old views stay.

What a hand-written blueprint registers for the whole app is added, but not taken back.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from werkzeug.routing import Map, Rule

from greenrelay.boot import Applied, check, mount
from greenrelay.config.resolve import Configuration
from greenrelay.http.prematch import EXTENSION as PREMATCH
from greenrelay.http.prematch import prematch_of

_FUNCTIONS = (
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "template_context_processors",
    "url_value_preprocessors",
    "url_default_functions",
)


def spare_app(app: Flask, applied: Applied, configuration: Configuration) -> Flask:
    """Return an app with the routers of ``configuration``; raises ConfigError.

    It knows the blueprints of ``app`` itself, whose names routers must not take.
    """
    spare = Flask(app.import_name, root_path=app.root_path, static_folder=None)
    spare.config.from_mapping(app.config)
    spare.url_rule_class = app.url_rule_class
    spare.url_map = _empty_map(app)
    spare.blueprints = _own_blueprints(app, applied)
    check(spare, configuration)
    mount(spare, configuration)
    return spare


def exchange(app: Flask, applied: Applied, spare: Flask) -> None:
    """Let ``app`` answer as ``spare`` would, beside what it has itself."""
    kept = [rule for rule in app.url_map.iter_rules() if rule.endpoint not in applied.views]
    own = _own_blueprints(app, applied)
    mounted = frozenset(spare.blueprints) - set(own)
    rules = _empty_map(app)
    for rule in [*kept, *spare.url_map.iter_rules()]:
        rules.add(_copy(rule))
    rules.update()
    app.view_functions.update(spare.view_functions)
    for attribute in _FUNCTIONS:
        _exchange_functions(getattr(app, attribute), getattr(spare, attribute), mounted)
    _exchange_handlers(app.error_handler_spec, spare.error_handler_spec, mounted)
    _add_to_templates(app, spare)
    app.blueprints = own | {name: spare.blueprints[name] for name in mounted}
    app.url_map = rules
    app.extensions[PREMATCH] = prematch_of(spare)
    applied.blueprints, applied.views = mounted, frozenset(spare.view_functions)


def _add_to_templates(app: Flask, spare: Flask) -> None:
    """Let the templates of ``app`` have the filters, tests and globals of blueprints."""
    # An environment is made when it is first asked for.
    if "jinja_env" not in vars(spare):
        return
    for name in ("filters", "tests", "globals"):
        known = getattr(app.jinja_env, name)
        for key, each in getattr(spare.jinja_env, name).items():
            known.setdefault(key, each)


def _own_blueprints(app: Flask, applied: Applied) -> dict[str, Any]:
    return {name: each for name, each in app.blueprints.items() if name not in applied.blueprints}


def _empty_map(app: Flask) -> Map:
    model = app.url_map
    return app.url_map_class(
        default_subdomain=model.default_subdomain,
        strict_slashes=model.strict_slashes,
        merge_slashes=model.merge_slashes,
        redirect_defaults=model.redirect_defaults,
        converters=model.converters,
        sort_parameters=model.sort_parameters,
        sort_key=model.sort_key,
        host_matching=model.host_matching,
    )


def _copy(rule: Rule) -> Rule:
    copied = rule.empty()
    # What Werkzeug's own copy leaves out, and what Flask has hung on it.
    copied.merge_slashes, copied.websocket = rule.merge_slashes, rule.websocket
    automatic = getattr(rule, "provide_automatic_options", False)
    vars(copied)["provide_automatic_options"] = automatic
    return copied


def _exchange_functions(
    functions: dict[str | None, list[Any]], new: dict[str | None, list[Any]], names: frozenset[str]
) -> None:
    for name in names:
        functions[name] = list(new.get(name, ()))
    functions[None] = [*functions.get(None, ()), *_missing(new, functions)]


def _missing(new: dict[str | None, list[Any]], old: dict[str | None, list[Any]]) -> list[Any]:
    present = old.get(None, ())
    return [function for function in new.get(None, ()) if function not in present]


def _exchange_handlers(handlers: Any, new: Any, names: frozenset[str]) -> None:
    for name in names:
        handlers.pop(name, None)
        if name in new:
            handlers[name] = new[name]
    for code, by_class in new.get(None, {}).items():
        for cls, handler in by_class.items():
            handlers[None][code].setdefault(cls, handler)
