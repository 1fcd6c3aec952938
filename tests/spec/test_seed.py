"""The page this project comes from, walked from top to bottom.

Each test quotes the sentence, table row or code block it stands for; the code blocks are
translated from Lua to Python and run over real sockets.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask, make_response, request

from greenrelay import (
    Exit,
    LinkDown,
    Message,
    Timeout,
    events,
    inbox,
    link,
    monitor,
    process,
    receive,
    send,
    set_options,
    spawn,
)
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, create_app, relay, websocket_relay
from tests.serving import Refused, WebSocketClient, connected, serving

# What a test's target does with the messages it gets; the view below spawns it.
Target = Callable[[], object]


class Site:
    """One server with ``/ws``, whose target is ``target``, and what its processes have noted."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.target: Target = self.note_everything
        self.command: dict[str, object] = {}
        self.address = ""
        self.app = Flask(__name__)
        GreenRelay(self.app)
        self.app.add_url_rule("/ws", view_func=websocket_relay()(self.view))

    def note_everything(self) -> None:
        for message in inbox():
            self.notes.append((message.topic, message.payload))
            if message.topic == "ws.leave":
                return

    def view(self) -> Any:
        response = make_response()
        command = {"target_pid": str(spawn(self.target)), **self.command}
        response.headers["X-WS-Relay"] = json.dumps(command)
        return response

    def run(self, entry: Callable[..., Any], *args: object) -> Any:
        return state_of(self.app).node.run(entry, *args, timeout=30)

    def connect(self, path: str = "/ws", **options: Any) -> WebSocketClient:
        return WebSocketClient(self.address, path, **options)

    def join(self, path: str = "/ws", **options: Any) -> tuple[WebSocketClient, str]:
        """Connect and return the client with its PID."""
        joins = [topic for topic, _ in self.notes].count("ws.join")
        client = self.connect(path, **options)
        return client, self.noted("ws.join", count=joins + 1)["client_pid"]

    def noted(self, topic: str, count: int = 1) -> Any:
        """Wait for the target to note ``topic`` often enough; return the last payload."""

        def look() -> Any:
            for _ in range(500):
                found = [payload for noted, payload in self.notes if noted == topic]
                if len(found) >= count:
                    return found[-1]
                with suppress(Timeout):
                    receive(timeout=0.01)
            raise AssertionError(f"{topic} never came: {self.notes}")

        return self.run(look)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    with serving(site.app) as address:
        site.address = address
        yield site


# # WebSocketリレー


def test_the_middleware_upgrades_http_to_a_websocket_and_relays_to_the_target(site: Site) -> None:
    """WebSocketリレーミドルウェアはHTTP接続をWebSocketにアップグレードし、ターゲットプロセスに
    メッセージをリレーします。"""
    client = site.connect()
    client.send("hello")

    assert client.response.status_code == 101
    assert site.noted("ws.message")["data"] == "hello"
    client.close()


# ## 動作原理


def test_1_the_handler_sets_the_header_with_the_target_pid(site: Site) -> None:
    """HTTPハンドラがターゲットプロセスPID付きの`X-WS-Relay`ヘッダーを設定"""
    client = site.connect()

    assert "X-WS-Relay" not in client.response.headers
    client.close()


def test_3_the_relay_attaches_to_the_target_and_monitors_it(site: Site) -> None:
    """リレーがターゲットプロセスにアタッチしてモニタリング"""
    client, client_pid = site.join()

    def look() -> tuple[str, ...]:
        info = process.info(client_pid)
        assert info is not None
        return info.monitors

    (target,) = site.run(look)
    assert site.run(lambda: process.info(target)).monitored_by == (client_pid,)
    client.close()


def test_4_messages_flow_both_ways(site: Site) -> None:
    """メッセージがクライアントとプロセス間で双方向に流れる"""

    def echo() -> None:
        for message in inbox():
            data: Any = message.payload
            if message.topic == "ws.message":
                send(data["client_pid"], "ws.send", {"type": data["type"], "data": data["data"]})
            elif message.topic == "ws.leave":
                return

    site.target = echo
    client = site.connect()
    client.send("there and back")

    assert client.recv() == "there and back"
    client.close()


def test_the_connection_closes_when_its_target_ends(site: Site) -> None:
    """WebSocket接続はターゲットプロセスにバインドされます。プロセスが終了すると、接続は
    自動的に閉じられます。"""
    site.target = lambda: receive("ws.message")
    client = site.connect()
    client.send("the last one")

    assert client.wait_closed() == (1000, "target exited")


# ## プロセスセマンティクス


def test_addressable(site: Site) -> None:
    """アドレス指定可能 → 任意のプロセスがWebSocket PIDにメッセージを送信可能

    process.send(websocket_pid, "ws.send", {type = "text", data = "hello"})
    """
    client, websocket_pid = site.join()

    site.run(lambda: process.send(websocket_pid, "ws.send", {"type": "text", "data": "hello"}))

    assert client.recv() == "hello"
    client.close()


def test_monitorable(site: Site) -> None:
    """モニタリング可能 → プロセスがWebSocket接続をモニタリングして終了イベントを受信可能

    process.monitor(websocket_pid)
    """
    client, websocket_pid = site.join()

    def watch() -> Exit:
        process.monitor(websocket_pid)
        client.close(1001, "moving on")
        event = receive(timeout=30)
        assert isinstance(event, Exit)
        return event

    event = site.run(watch)
    assert event.pid == websocket_pid
    assert event.result.value["code"] == 1001


def test_linkable(site: Site) -> None:
    """リンク可能 → WebSocket接続を他のプロセスにリンク可能"""
    client, websocket_pid = site.join()

    def share_fate() -> LinkDown:
        set_options(trap_links=True)
        link(websocket_pid)
        client.drop()
        event = receive(timeout=30)
        assert isinstance(event, LinkDown)
        return event

    assert site.run(share_fate).pid == websocket_pid


def test_exit_events(site: Site) -> None:
    """EXITイベント → 接続が閉じるとモニターが終了通知を受信"""
    client, websocket_pid = site.join()

    def watch() -> str:
        monitor(websocket_pid)
        client.close()
        return events().receive(timeout=30).kind

    assert site.run(watch) == "EXIT"


def test_tip_the_relay_monitors_its_target_and_the_client_gets_a_close_frame(site: Site) -> None:
    """リレーはターゲットプロセスをモニタリングします。ターゲットが終了すると、WebSocket接続は
    自動的に閉じられ、クライアントはクローズフレームを受信します。"""

    def crash() -> None:
        receive("ws.message")
        raise RuntimeError("on purpose")

    site.target = crash
    client = site.connect()
    client.send("go")

    assert client.wait_closed() == (1011, "target failed")


# ## 接続の転送


def test_a_control_message_transfers_the_connection(site: Site) -> None:
    """制御メッセージを送信して接続を別のプロセスに転送できます

    process.send(websocket_pid, "ws.control", {
        target_pid = new_process_pid,
        message_topic = "ws.message"
    })
    """
    client, websocket_pid = site.join()

    def take_over() -> tuple[str, object]:
        control = {"target_pid": str(process.pid()), "message_topic": "ws.message"}
        process.send(websocket_pid, "ws.control", control)
        joined = receive("ws.join", timeout=30)
        client.send("to the new one")
        message = receive("ws.message", timeout=30)
        assert isinstance(joined.payload, dict)
        assert isinstance(message.payload, dict)
        return joined.payload["reason"], message.payload["data"]

    assert site.run(take_over) == ("transfer", "to the new one")
    assert site.noted("ws.leave")["reason"] == "transfer"
    assert client.wait_closed()[0] == 1000


# ## 設定

CONFIG = """
- name: ws_router
  kind: http.router
  meta:
    server: gateway
  prefix: /ws
  post_middleware:
    - websocket_relay
  post_options:
    wsrelay.allowed.origins: "https://app.example.com"
"""
ENDPOINT = """
- name: chat
  kind: http.endpoint
  meta:
    router: ws_router
  path: /chat
  func: tests.spec.test_seed:chat
"""


def chat() -> Any:
    return relay(spawn(wait_for_leave))


def wait_for_leave() -> None:
    receive("ws.leave")


def test_the_router_of_the_page_loads_unchanged() -> None:
    """ルーターでマッチ後ミドルウェアとして追加"""
    app = create_app(CONFIG)
    state_of(app).node.shutdown()


def test_allowed_origins_is_a_comma_list() -> None:
    """`wsrelay.allowed.origins` | カンマ区切りの許可されたオリジン"""
    app = create_app(
        CONFIG.replace('example.com"', 'example.com, https://two.example.com"') + ENDPOINT
    )

    with serving(app) as address:
        for origin in ("https://app.example.com", "https://two.example.com"):
            with connected(address, "/ws/chat", origin=origin) as client:
                client.close()
        with pytest.raises(Refused, match="403"):
            WebSocketClient(address, "/ws/chat", origin="https://three.example.com")


def test_note_without_origins_only_the_same_origin_is_allowed() -> None:
    """オリジンが設定されていない場合、同一オリジンのリクエストのみ許可されます。"""
    app = create_app(CONFIG.partition("  post_options")[0] + ENDPOINT)

    with serving(app) as address:
        with connected(address, "/ws/chat", origin=f"http://{address}") as client:
            client.close()
        with pytest.raises(Refused, match="403"):
            WebSocketClient(address, "/ws/chat", origin="https://app.example.com")


# ## ハンドラセットアップ


def test_the_handler_of_the_page(site: Site) -> None:
    """HTTPハンドラはプロセスを生成してリレーを設定します

    local pid = process.spawn("app.ws:handler", "app:processes")
    res:header("X-WS-Relay", json.encode({
        target_pid = tostring(pid),
        message_topic = "ws.message",
        heartbeat_interval = "30s",
        metadata = { user_id = req:query("user_id") }
    }))
    """

    def handler() -> Any:
        res = make_response()
        pid = process.spawn("tests.spec.test_seed:wait_for_leave")
        res.headers["X-WS-Relay"] = json.dumps(
            {
                "target_pid": str(pid),
                "message_topic": "ws.message",
                "heartbeat_interval": "30s",
                "metadata": {"user_id": request.args.get("user_id")},
            }
        )
        return res

    site.app.add_url_rule("/handler", view_func=websocket_relay()(handler))
    client = site.connect("/handler?user_id=7")

    assert client.response.status_code == 101
    client.close()


# ### リレー設定フィールド


def test_target_pid_is_required(site: Site) -> None:
    """`target_pid` | string | 必須 | メッセージを受信するプロセスPID"""

    def forgets() -> Any:
        response = make_response()
        response.headers["X-WS-Relay"] = "{}"
        return response

    site.app.add_url_rule("/forgets", view_func=websocket_relay()(forgets))

    with pytest.raises(Refused, match="500"):
        site.connect("/forgets")


def test_message_topic_is_ws_message_unless_set(site: Site) -> None:
    """`message_topic` | string | `ws.message` | クライアントメッセージ用トピック"""
    client = site.connect()
    client.send("one")
    assert site.noted("ws.message")["data"] == "one"
    client.close()

    site.command = {"message_topic": "chat.line"}
    client = site.connect()
    client.send("two")
    assert site.noted("chat.line")["data"] == "two"
    client.close()


def test_heartbeat_interval_sets_the_pace(site: Site) -> None:
    """`heartbeat_interval` | duration | - | ハートビート頻度（例：`30s`）"""
    site.command = {"heartbeat_interval": "20ms"}
    client = site.connect()

    assert site.noted("ws.heartbeat")["uptime"] > 0
    client.close()


def test_metadata_comes_with_every_message(site: Site) -> None:
    """`metadata` | object | - | すべてのメッセージに付与"""
    site.command = {"metadata": {"user_id": "7"}, "heartbeat_interval": "20ms"}
    client = site.connect()
    client.send("hello")
    site.noted("ws.heartbeat")
    client.close()
    site.noted("ws.leave")

    assert {topic for topic, _ in site.notes} == {
        "ws.join",
        "ws.message",
        "ws.heartbeat",
        "ws.leave",
    }
    assert all(payload["metadata"] == {"user_id": "7"} for _, payload in site.notes)


# ## メッセージトピック


def test_ws_join(site: Site) -> None:
    """`ws.join` | クライアント接続時 | `client_pid`、`metadata`"""
    site.command = {"metadata": {"room": "tea"}}
    client = site.connect()

    joined = site.noted("ws.join")
    assert site.run(lambda: process.info(joined["client_pid"])) is not None
    assert joined["metadata"] == {"room": "tea"}
    client.close()


def test_ws_message(site: Site) -> None:
    """`ws.message` | クライアントがメッセージ送信時 | `client_pid`、`type`、`data`、`metadata`"""
    client, client_pid = site.join()
    client.send("text")
    client.send(b"bytes")
    client.close()
    site.noted("ws.leave")

    messages = [payload for topic, payload in site.notes if topic == "ws.message"]
    assert messages == [
        {"client_pid": client_pid, "type": "text", "data": "text", "metadata": {}},
        {"client_pid": client_pid, "type": "binary", "data": b"bytes", "metadata": {}},
    ]


def test_ws_heartbeat(site: Site) -> None:
    """`ws.heartbeat` | 定期的（設定時） | `client_pid`、`uptime`、`message_count`"""
    client, client_pid = site.join()
    client.send("one")
    site.noted("ws.message")
    control = {"heartbeat_interval": "20ms"}
    site.run(lambda: send(client_pid, "ws.control", control))

    beat = site.noted("ws.heartbeat")
    assert beat["client_pid"] == client_pid
    assert beat["message_count"] == 1
    assert beat["uptime"] > 0
    client.close()


def test_no_heartbeat_unless_set(site: Site) -> None:
    """定期的（設定時）"""
    quiet = site.connect()
    site.noted("ws.join")
    beating, beating_pid = site.join()
    site.run(lambda: send(beating_pid, "ws.control", {"heartbeat_interval": "10ms"}))

    site.noted("ws.heartbeat", count=3)

    beats = [payload["client_pid"] for topic, payload in site.notes if topic == "ws.heartbeat"]
    assert set(beats) == {beating_pid}
    quiet.close()
    beating.close()


def test_ws_leave(site: Site) -> None:
    """`ws.leave` | クライアント切断時 | `client_pid`、`reason`、`metadata`"""
    site.command = {"metadata": {"user_id": "7"}}
    client, client_pid = site.join()
    client.close(4000, "good night")

    left = site.noted("ws.leave")
    assert left["client_pid"] == client_pid
    assert left["reason"] == "good night"
    assert left["metadata"] == {"user_id": "7"}


# ## メッセージの受信


def test_the_receiving_loop_of_the_page(site: Site) -> None:
    """local inbox = process.inbox()
    while true do local msg, ok = inbox:receive() … if topic == "ws.join" … elseif topic ==
    "ws.message" then local content = json.decode(data.data) …
    """
    done: list[tuple[str, object]] = []

    def handler() -> None:
        for msg in process.inbox():
            topic = msg.topic
            data: Any = msg.payload
            if topic == "ws.join":
                done.append(("connected", data["client_pid"]))
            elif topic == "ws.message":
                content = json.loads(data["data"])
                done.append(("handled", content))
            elif topic == "ws.leave":
                done.append(("cleaned up", data["client_pid"]))
                site.notes.append(("over", None))
                return

    site.target = handler
    client = site.connect()
    client.send(json.dumps({"n": 1}))
    client.close()
    site.noted("over")

    client_pid = done[0][1]
    assert done == [("connected", client_pid), ("handled", {"n": 1}), ("cleaned up", client_pid)]


# ## クライアントへの送信


def test_sending_text(site: Site) -> None:
    """process.send(client_pid, "ws.send", {
        type = "text", data = json.encode({event = "update", value = 42})
    })"""
    client, client_pid = site.join()
    text = json.dumps({"event": "update", "value": 42})

    assert site.run(lambda: process.send(client_pid, "ws.send", {"type": "text", "data": text}))

    assert client.recv() == text
    client.close()


def test_sending_binary(site: Site) -> None:
    """process.send(client_pid, "ws.send", { type = "binary", data = binary_content })"""
    client, client_pid = site.join()
    content = bytes(range(256))

    site.run(lambda: process.send(client_pid, "ws.send", {"type": "binary", "data": content}))

    assert client.recv() == content
    client.close()


def test_closing(site: Site) -> None:
    """process.send(client_pid, "ws.close", { code = 1000, reason = "Session ended" })"""
    client, client_pid = site.join()
    payload = {"code": 1000, "reason": "Session ended"}

    site.run(lambda: process.send(client_pid, "ws.close", payload))

    assert client.wait_closed() == (1000, "Session ended")


# ## ブロードキャスト


def test_broadcast_to_the_clients_that_are_there(site: Site) -> None:
    """クライアントPIDを追跡して複数のクライアントにブロードキャスト

    clients[client_pid] = true … clients[client_pid] = nil …
    for pid, _ in pairs(clients) do process.send(pid, "ws.send", {type = "text", data = data}) end
    """
    clients: dict[str, bool] = {}

    def room() -> None:
        for message in inbox():
            _handle(message, clients)
            site.notes.append((message.topic, message.payload))

    def _handle(message: Message, clients: dict[str, bool]) -> None:
        data: Any = message.payload
        if message.topic == "ws.join":
            clients[data["client_pid"]] = True
        elif message.topic == "ws.leave":
            clients.pop(data["client_pid"])
        elif message.topic == "ws.message":
            text = json.dumps({"said": data["data"]})
            for pid in clients:
                process.send(pid, "ws.send", {"type": "text", "data": text})

    room_pid = state_of(site.app).node.spawn(room)
    site.app.add_url_rule("/room", view_func=websocket_relay()(lambda: relay(room_pid)))
    one, other, third = (site.connect("/room") for _ in range(3))
    third.close()
    site.noted("ws.leave")
    one.send("hi")

    assert one.recv_json() == other.recv_json() == {"said": "hi"}
    one.close()
    other.close()
