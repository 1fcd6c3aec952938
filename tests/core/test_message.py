"""Messages. Source: Processes, "Functions"."""

from __future__ import annotations

import pytest

from greenrelay.core.message import Message, check_topic
from greenrelay.errors import ReservedTopic


def test_a_message_is_frozen() -> None:
    """`Message(topic, payload, sender, context)` is frozen."""
    message = Message("topic", {"a": 1})

    with pytest.raises(AttributeError):
        message.topic = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        message.context["a"] = 1  # type: ignore[index]


@pytest.mark.parametrize("topic", ["@exit", "@", "", None, 7, b"topic"])
def test_a_reserved_topic_is_refused(topic: object) -> None:
    """`ReservedTopic` (`@…`)."""
    with pytest.raises(ReservedTopic) as caught:
        check_topic(topic)

    assert caught.value.topic == topic


def test_any_other_text_is_a_topic() -> None:
    check_topic("ws.message")
    check_topic("a@b")
