"""What frames carry beside payloads: contexts, how processes ended, and errors.

Source: Cluster, "What changes for a program" and "Rules", row Wire. No class of the user is made of
what was read: an error is one of Python's or of greenrelay's, or a RemoteError that names it.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping

from msgspec import Raw

from greenrelay import errors
from greenrelay.cluster.wire import Frame, dump, load
from greenrelay.core.events import ExitError, Result
from greenrelay.core.message import NO_CONTEXT
from greenrelay.errors import RemoteError, UnsendablePayload

# How much of the text of an error travels, and where that is too much for a server.
MAX_TEXT = 64 * 1024
MAX_SHORT = 2000


def dump_context(context: Mapping[str, object]) -> tuple[Raw, int]:
    """Return a context as it travels, and how many values stay behind: those that cannot."""
    kept: dict[str, object] = {}
    for key, value in context.items():
        try:
            dump(value, "context")
        except UnsendablePayload:
            continue
        kept[str(key)] = value
    raw = dump(kept, "context")
    return raw, len(context) - len(kept)


def context_of(frame: Frame) -> Mapping[str, object]:
    """Return the values that a message carries."""
    if not frame.context:
        return NO_CONTEXT
    if not isinstance(frame.context, dict):
        raise ValueError("a context is wanted")
    return frame.context


def dump_result(result: Result) -> tuple[Raw, bool]:
    """Return how a process ended, as it travels, and whether its value had to stay behind."""
    error = result.error
    told: list[object] | None = None
    if error is not None:
        told = [_text(error.type), _text(error.message), _text(error.traceback)]
    try:
        return dump([result.value, _text(result.reason), told]), False
    except UnsendablePayload:
        return dump([None, _text(result.reason), told]), True


def shortened(result: Result) -> Result:
    """Return how a process ended without its value, and with less of the text of its error."""
    error = result.error
    if error is not None:
        parts = (error.type, error.message, error.traceback)
        error = ExitError(*(_text(each, MAX_SHORT) for each in parts))
    return Result(None, error, _text(result.reason, MAX_SHORT))


def load_result(raw: Raw) -> Result:
    """Return how a process ended; raises ValueError for what does not say so."""
    told = load(raw)
    if not isinstance(told, list) or len(told) != 3 or not isinstance(told[1], str):
        raise ValueError("it is no result")
    value, reason, error = told
    if error is None:
        return Result(value, None, reason)
    if isinstance(error, list) and len(error) == 3 and all(isinstance(each, str) for each in error):
        return Result(value, ExitError(*error), reason)
    raise ValueError("it is no result")


def dump_error(error: BaseException, most: int = 0) -> Raw:
    """Return what a call is to raise, as it travels: the name of its class, arguments, text.

    With ``most``, that many characters of the text and no arguments.
    """
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", errors.__name__):
        name = f"{kind.__module__}.{name}"
    if most:
        return dump([name, None, _text(_said(error), most)])
    text = _text(_said(error))
    # An OSError keeps the names of files outside its arguments, and gives them to be copied.
    args = error.__reduce__()[1] if kind.__reduce__ is OSError.__reduce__ else error.args
    try:
        return dump([name, list(args), text])
    except UnsendablePayload:
        return dump([name, None, text])


def load_error(raw: Raw) -> Exception:
    """Return what a call raises: Python's errors and ours as they were, others as RemoteError."""
    told = load(raw)
    if not isinstance(told, list) or len(told) != 3:
        raise ValueError("it is no error")
    name, arguments, text = told
    if not isinstance(name, str) or not isinstance(text, str):
        raise ValueError("it is no error")
    kind = getattr(builtins, name, None) or getattr(errors, name, None)
    if not isinstance(kind, type) or not issubclass(kind, Exception):
        return RemoteError(name, text)
    try:
        return kind(*arguments)
    except Exception:
        return RemoteError(name, text)


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        # Its own code fails, and its caller has to hear of it all the same.
        return f"<{type(error).__qualname__} that cannot be printed>"


def _text(text: str, most: int = MAX_TEXT) -> str:
    """Return text that can travel, shortened in the middle if it is long."""
    text = text.encode(errors="replace").decode()
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n…\n{text[-half:]}"
