"""HTTP, "Middleware": options of relays are typed and checked when the configuration is read."""

from __future__ import annotations

import pytest

from greenrelay.boot import read
from greenrelay.errors import ConfigError

TEXT = """\
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- name: sockets
  kind: http.router
  meta.server: gateway
  prefix: /ws
  post_middleware: [websocket_relay]
  post_options:
    wsrelay.allowed.origins: https://app.example.com/path
    wsrelay.subprotocols: [v1, chat v2]
    wsrelay.drain.code: 1005
- name: streams
  kind: http.router
  meta.server: gateway
  prefix: /sse
  post_middleware: [sse_relay]
  post_options:
    sserelay.allowed.origins: "*.example.com, https://"
- {name: system, kind: cluster, engine: "ftp://host"}
"""


def test_each_is_told_at_its_own_place_and_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read(TEXT)

    problems = caught.value.problems
    sockets, streams = (
        f'http.router "app:{name}": post_options' for name in ("sockets", "streams")
    )
    starts = [
        f'<text>:8:5: {sockets}.wsrelay.allowed.origins: is "https://app.example.com/path"; ',
        f'<text>:9:5: {sockets}.wsrelay.subprotocols: is ["v1", "chat v2"]; "chat v2" has a space',
        f"<text>:10:5: {sockets}.wsrelay.drain.code: is 1005; close code 1005: it must be in 1000-",
        f"<text>:17:5: {streams}.sserelay.allowed.origins: is ",
        '<text>:18:33: cluster "app:system": engine: ',
    ]
    assert [problem[: len(start)] for problem, start in zip(problems, starts, strict=True)] == (
        starts
    )


@pytest.mark.parametrize("name", ["allow_origins", "allowed_origins"])
def test_another_name_of_an_option_is_the_one_that_is_told(name: str) -> None:
    text = "    wsrelay.allowed.origins: https://app"

    with pytest.raises(ConfigError) as caught:
        read(TEXT.replace(text, f"    {name}: https://app"))

    assert f"post_options.{name}: is " in caught.value.problems[0]
