"""What a configuration comes to: every value in force, and where it comes from.

Source: Configuration, the item on ``greenrelay config``. Values that look like secrets are masked,
by the name of the option, of a key inside its value or of the environment variable they were made
of, and so is the user part of URLs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from greenrelay.config.entries import Entry, HttpRouter
from greenrelay.config.middleware import LISTS, MiddlewareSpec
from greenrelay.config.options import OptionSpec, option_values
from greenrelay.config.read import duration
from greenrelay.config.secret import MASK, is_secret_name, without_users
from greenrelay.durations import format_duration

__all__ = ["DEFAULT", "MASK", "Setting", "settings"]

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value in force: ``origin`` is ``file:line``, ``default`` or what was set outside.

    ``value`` is plain: text, a number, a boolean, None or a list. ``is_secret`` says to hide it.
    """

    name: str
    value: object
    origin: str
    is_secret: bool = False

    @property
    def shown(self) -> object:
        """The value as it may be shown to anybody."""
        return MASK if self.is_secret else _masked(self.value)


def settings(entry: Entry, middleware: Mapping[str, MiddlewareSpec]) -> list[Setting]:
    """Return every value of an entry; for a router also the options of its middleware."""
    typed = list(_middleware_values(entry, middleware))
    told = {name for names, _, _ in typed for name in names}
    found = [each for each in option_values(entry) if each[0][0] not in told]
    return [_setting(entry, names, value, spec) for names, value, spec in [*found, *typed]]


def _middleware_values(
    entry: Entry, middleware: Mapping[str, MiddlewareSpec]
) -> Iterator[tuple[tuple[str, ...], object, OptionSpec | None]]:
    if not isinstance(entry, HttpRouter):
        return
    for stage, (_, options_key) in LISTS.items():
        for name, options in entry.middleware_options.items():
            if options is not None and middleware[name].stage == stage:
                # An options class is a dataclass, or it could not have been read.
                yield from option_values(options, f"{options_key}.")  # type: ignore[arg-type]


def _setting(
    entry: Entry, names: tuple[str, ...], value: object, spec: OptionSpec | None
) -> Setting:
    # Aliases count in their order, unless one was given from outside.
    marks = {name: entry.marks[name] for name in names if name in entry.marks}
    given = max(marks, key=lambda name: marks[name].strength, default=None)
    variables = entry.variables.get(given, ()) if given is not None else ()
    is_secret = any(is_secret_name(name) for name in (names[0], *variables))
    origin = DEFAULT if given is None else _origin(entry, given, variables)
    return Setting(names[0], _plain(value, spec), origin, is_secret and _is_worth_hiding(value))


def _origin(entry: Entry, name: str, variables: tuple[str, ...]) -> str:
    mark = entry.marks[name]
    if mark.file in variables:
        return f"environment {mark.file}"
    return ", ".join([mark.place, *(f"environment {variable}" for variable in variables)])


def _plain(value: object, spec: OptionSpec | None) -> object:
    if isinstance(value, float) and spec is not None and spec.read is duration:
        return format_duration(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item, None) for item in value]
    if value is None or isinstance(value, (bool, int, float, str, dict)):
        return value
    return str(value)


def _is_worth_hiding(value: object) -> bool:
    # Neither nothing nor a yes or no is a secret.
    return bool(value) and not isinstance(value, bool)


def _masked(value: object) -> object:
    """Return a value without the secrets in it: in lists and maps, and users of URLs."""
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if isinstance(value, dict):
        return {
            key: MASK if _is_worth_hiding(item) and is_secret_name(key) else _masked(item)
            for key, item in value.items()
        }
    return without_users(value) if isinstance(value, str) else value
