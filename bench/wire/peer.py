"""The servers that are measured, ours and those it is compared with.

To add one, write a module in ``bench/transport_servers/`` and an entry here.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.contender import Contender

SOCKETIO_PATH = "/socket.io/?EIO=4&transport=websocket"


@dataclass(frozen=True, slots=True)
class Peer(Contender):
    """A server program of ``bench/transport_servers``; the first of ``modules`` is it.

    ``protocol`` is raw, websocket or socketio, as the load generator knows them. One that
    ``is_text_only`` gets text where others get binary messages. ``most`` is how many clients the
    usual limit of open files allows it, ``has_news`` whether it can broadcast.
    """

    protocol: str = "websocket"
    path: str = "/echo"
    is_text_only: bool = False
    is_ours: bool = False
    has_news: bool = True
    most: int = 10_000

    @property
    def is_ceiling(self) -> bool:
        """Whether it is there only to show what the generator can do."""
        return not self.modules


CEILING = Peer("ceiling", "C echo", (), has_news=False)
RAW = Peer("raw", "raw gevent TCP", ("raw_tcp",), protocol="raw", has_news=False)
GEVENT_WEBSOCKET = Peer("gevent_websocket", "gevent-websocket", ("gevent_websocket",))
WEBSOCKETS = Peer("websockets", "websockets, uvloop", ("asyncio_websockets",), package="uvloop")
PICOWS = Peer("picows", "picows, uvloop", ("uvloop_picows",), package="picows")
# simple-websocket duplicates the file descriptor of each of its clients.
FLASK_SOCK = Peer(
    "flask_sock", "flask-sock", ("flask_sock_views",), package="flask_sock", most=5_000
)
SOCKETIO = Peer(
    "socketio",
    "Flask-SocketIO",
    ("flask_socketio_events",),
    package="flask_socketio",
    protocol="socketio",
    path=SOCKETIO_PATH,
    is_text_only=True,
)
BARE = Peer("bare", "greenrelay transport", ("bare",), is_ours=True, has_news=False)
FUNCTION = Peer("function", "greenrelay relay, functions", ("relay_function",), is_ours=True)
SERVER = Peer("server", "greenrelay relay, servers", ("relay_server",), is_ours=True)
# With one target for all, which is not counted then.
WORKER = Peer(
    "worker",
    "gunicorn, greenrelay's worker",
    ("gunicorn_worker",),
    package="gunicorn",
    is_ours=True,
)
GEVENT_WORKER = Peer(
    "gevent_worker", "gunicorn -k gevent", ("gunicorn_gevent",), package="gunicorn", is_ours=True
)

RIVALS = (GEVENT_WEBSOCKET, WEBSOCKETS, PICOWS, FLASK_SOCK, SOCKETIO)
