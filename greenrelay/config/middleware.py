"""Which middleware a router lists, and its options as the typed values they stand for.

Source: HTTP, "Middleware". All middleware of one list share one namespace of dotted option
names: each key must belong to one of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from greenrelay.config.entries import HttpRouter
from greenrelay.config.mark import Problem, suggestion
from greenrelay.config.options import option_names, read_fields, unknown_names
from greenrelay.config.value import Value, from_python

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LISTS = {"pre": ("middleware", "options"), "post": ("post_middleware", "post_options")}


@dataclass(frozen=True, slots=True)
class MiddlewareSpec:
    """A registered middleware: ``stage`` is "pre" or "post", ``options`` its dataclass if any."""

    name: str
    stage: str
    options: type[DataclassInstance] | None = None


def read_middleware(
    router: HttpRouter, specs: Mapping[str, MiddlewareSpec], problems: list[Problem]
) -> HttpRouter:
    """Return the router with its ``middleware_options``; what is wrong is added to the problems."""
    typed: dict[str, object] = {}
    for stage in LISTS:
        typed |= _StageReader(router, stage, specs, problems).read()
    return dataclasses.replace(router, middleware_options=typed)


class _StageReader:
    def __init__(
        self,
        router: HttpRouter,
        stage: str,
        specs: Mapping[str, MiddlewareSpec],
        problems: list[Problem],
    ) -> None:
        self._router = router
        self._stage = stage
        self._specs = specs
        self._problems = problems
        self._list_key, self._options_key = LISTS[stage]

    def read(self) -> dict[str, object]:
        names = self._router.middleware if self._stage == "pre" else self._router.post_middleware
        listed = [self._find(index, name, names) for index, name in enumerate(names)]
        specs = {spec.name: spec for spec in listed if spec is not None}
        given = self._given()
        typed = {name: self._read_options(spec, given) for name, spec in specs.items()}
        # The options of a middleware that is misspelt are unknown only for that; say it once.
        if None not in listed:
            self._refuse_unknown(specs, given)
        return typed

    def _given(self) -> dict[str, Value]:
        router = self._router
        options = router.options if self._stage == "pre" else router.post_options
        return {
            key: from_python(data, router.at(f"{self._options_key}.{key}"), self._problems)
            for key, data in options.items()
        }

    def _find(self, index: int, name: str, names: tuple[str, ...]) -> MiddlewareSpec | None:
        spec = self._specs.get(name)
        what = ""
        if spec is None:
            stage_names = [key for key, known in self._specs.items() if known.stage == self._stage]
            what = f'"{name}" is not registered{suggestion(name, stage_names)}'
        elif spec.stage != self._stage:
            what = f'"{name}" is {spec.stage}-match middleware; list it in {LISTS[spec.stage][0]}'
        elif name in names[:index]:
            what = f'"{name}" is listed twice; list it once'
        if what:
            self._report(f"{self._list_key}[{index}]", what)
        return spec if not what or name in names[:index] else None

    def _read_options(self, spec: MiddlewareSpec, given: Mapping[str, Value]) -> object:
        if spec.options is None:
            return None
        fields, found = read_fields(spec.options, given, self._router.at(self._options_key))
        for problem in found:
            self._report_option(problem)
        if found:
            return None
        try:
            return spec.options(**fields)
        except ValueError as error:
            # A rule between options; where its text begins with the name of one, it is that one's.
            text = str(error)
            name = next((each for each in given if text.startswith(f"{each} ")), "")
            if name:
                self._report(f"{self._options_key}.{name}", text.removeprefix(f"{name} "))
            else:
                self._report(self._options_key, f"{spec.name}: {text}")
            return None

    def _refuse_unknown(
        self, specs: Mapping[str, MiddlewareSpec], given: Mapping[str, Value]
    ) -> None:
        known = [
            name
            for spec in specs.values()
            if spec.options is not None
            for name in option_names(spec.options)
        ]
        for problem in unknown_names(given, known, "option"):
            self._report_option(problem)

    def _report_option(self, problem: Problem) -> None:
        self._report(f"{self._options_key}.{problem.field}", problem.text)

    def _report(self, field: str, what: str) -> None:
        self._problems.append(self._router.problem(field, what))
