"""Middleware as decorators of views: their options by keyword, and what is pre-match around a view.

Source: HTTP, "Three ways in", the third. ``cors.allow.origins`` of a router is ``allow_origins`` of
a decorator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar

from flask import current_app, make_response
from werkzeug.wrappers import Response

from greenrelay.config.mark import Problem
from greenrelay.config.options import option_names, read_options
from greenrelay.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")
View = Callable[..., Any]
Handler = Callable[[], Response]


def keyword_options(
    name: str,
    prefix: str,
    cls: type[Options],
    view: Sequence[object],
    given: Mapping[str, object],
) -> Options:
    """Return the options of the decorator ``name``, which start with ``prefix.`` in a router.

    ``view`` is what it was called with beside keywords, which is nothing unless somebody forgot the
    parentheses. Raises ConfigError for the options, and TypeError for a ``view``.
    """
    if view:
        raise TypeError(f"{name} is called with its options: @{name}()")
    start = f"{prefix}."
    known = {each.removeprefix(start).replace(".", "_"): each for each in option_names(cls)}
    named = {known.get(key, start + key.replace("_", ".")): each for key, each in given.items()}
    found, problems = read_options(cls, named)
    if problems or found is None:
        raise ConfigError([f"{name}: {_shown(problem)}" for problem in problems])
    return found


def around_view(wrap: Callable[[Handler], Handler]) -> Callable[[View], View]:
    """Return a decorator that lets a pre-match middleware stand around one view."""

    def decorate(view: View) -> View:
        called = synchronous(view)

        @wraps(view)
        def wrapped(*args: Any, **kwargs: Any) -> Response:
            return wrap(lambda: make_response(called(*args, **kwargs)))()

        return wrapped

    return decorate


def synchronous(view: View) -> View:
    """Return what calls a view as Flask does, which runs one that is ``async`` to its end."""
    if not iscoroutinefunction(view):
        return view

    def call(*args: Any, **kwargs: Any) -> Any:
        return current_app.ensure_sync(view)(*args, **kwargs)

    return call


def _shown(problem: Problem) -> str:
    return f"{problem.field}: {problem.text}" if problem.field else problem.text
