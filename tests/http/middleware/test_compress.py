"""Source: HTTP, "Middleware", row compress."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import brotli
import pytest
import zstandard
from flask import Flask, Response, request

from greenrelay.errors import ConfigError
from greenrelay.http.middleware.compress import PIECE, codings
from greenrelay.web import compress, create_app, relay, stream
from tests.http.middleware.files import TEXT, Answer, ask, site
from tests.relaying import Bench, relaying
from tests.serving import serving
from tests.streaming import Bench as StreamBench
from tests.streaming import Event, streaming

GZIP = {"Accept-Encoding": "gzip"}
DECODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


class Site:
    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str = "/answer", accept: str | None = "gzip", **query: str) -> Answer:
        return self.ask("GET", path, accept, **query)

    def ask(self, method: str, path: str, accept: str | None, **query: str) -> Answer:
        headers = {} if accept is None else {"Accept-Encoding": accept}
        asked = f"{path}?{urlencode({k.replace('_', '-'): v for k, v in query.items()})}"
        return ask(self.address, asked, method=method, headers=headers)


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with serving(create_app(site("compress", {}))) as address:
        yield address


@pytest.fixture
def api(served: str) -> Site:
    return Site(served)


def is_compressed(answer: Answer) -> bool:
    return "content-encoding" in answer.headers


# codings


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("level", ["default", "fastest", "best"])
def test_the_client_gets_what_the_view_said(coding: str, level: str) -> None:
    app = create_app(site("compress", {"compress.level": level}))

    with serving(app) as address:
        found = ask(address, "/answer", headers={"Accept-Encoding": coding})

    assert found.headers["content-encoding"] == coding
    assert DECODERS[coding](found.body).decode() == TEXT
    assert found.headers["content-length"] == str(len(found.body))


def test_the_best_is_smaller_than_the_fastest() -> None:
    sizes = []
    text = " ".join(str(number * number) for number in range(4000))
    for level in ("fastest", "best"):
        app = Flask(__name__)
        app.get("/")(compress(level=level)(lambda: Response(text, mimetype="text/plain")))
        sizes.append(len(app.test_client().get("/", headers=GZIP).data))

    assert sizes[1] < sizes[0]


def test_a_long_answer_is_compressed_piece_by_piece() -> None:
    text = " ".join(str(number) for number in range(PIECE // 2))
    app = Flask(__name__)
    app.get("/")(compress()(lambda: text))
    client = app.test_client()

    for coding, decode in DECODERS.items():
        found = client.get("/", headers={"Accept-Encoding": coding})
        assert found.content_encoding == coding
        assert decode(found.data).decode() == text


def test_gzip_is_there_without_any_package() -> None:
    code = """
import sys
sys.modules |= dict.fromkeys(("brotli", "brotlicffi", "zstandard", "compression.zstd"))
from greenrelay.http.middleware.compress import codings
assert codings() == ("gzip",), codings()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("br;q=0.5, gzip;q=0.8, zstd;q=0.1", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, gzip;q=0.2", "gzip"),
        ("zstd;q=0, *", "br"),
        ("gzip;q=0", None),
        ("gzip;q=0, *;q=0", None),
        ("deflate, compress", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip", "gzip"),
        ("identity, gzip", "gzip"),
        ("identity;q=0, deflate", None),
    ],
)
def test_the_client_chooses_the_coding(api: Site, accept: str | None, coding: str | None) -> None:
    found = api.get(accept=accept)

    assert found.headers.get("content-encoding") == coding
    assert found.headers["vary"] == "Accept-Encoding"
    if coding is None:
        assert found.body.decode() == TEXT


def test_the_preferred_coding_comes_first() -> None:
    assert codings() == ("zstd", "br", "gzip")


# what is left alone


def test_a_short_answer_is_left_alone(api: Site) -> None:
    short, long = api.get(body="x" * 1023), api.get(body="x" * 1024)

    assert (is_compressed(short), is_compressed(long)) == (False, True)
    assert "vary" not in short.headers


def test_how_short_is_an_option() -> None:
    app = create_app(site("compress", {"compress.min.length": "2KiB"}))

    with serving(app) as address:
        found = [ask(address, f"/answer?body={'x' * n}", headers=GZIP) for n in (2047, 2048)]

    assert [is_compressed(each) for each in found] == [False, True]


@pytest.mark.parametrize("status", ["200", "201", "404", "500"])
def test_an_answer_of_any_status_with_a_text_is_compressed(api: Site, status: str) -> None:
    assert is_compressed(api.get(status=status))


@pytest.mark.parametrize("status", ["204", "205", "206", "304"])
def test_an_answer_without_a_whole_body_is_left_alone(api: Site, status: str) -> None:
    found = api.get(status=status)

    assert (found.status, is_compressed(found)) == (int(status), False)


@pytest.mark.parametrize(
    "query",
    [
        {"Content_Encoding": "br"},
        {"Content_Encoding": "identity"},
        {"Cache_Control": "public, no-transform"},
        {"Content_Range": "bytes 0-9/10"},
        {"Content_Digest": "sha-256=:x:"},
        {"Content_MD5": "x"},
    ],
)
def test_an_answer_that_is_meant_as_it_is_stays_so(api: Site, query: dict[str, str]) -> None:
    found = api.get(**query)

    assert found.body.decode() == TEXT
    assert "vary" not in found.headers


@pytest.mark.parametrize(
    ("kind", "is_wanted"),
    [
        ("text/html", True),
        ("text/csv; charset=latin-1", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("image/svg+xml", True),
        ("application/wasm", True),
        ("image/png", False),
        ("image/jpeg", False),
        ("video/mp4", False),
        ("application/zip", False),
        ("application/gzip", False),
        ("application/pdf", False),
        ("font/woff2", False),
        ("application/octet-stream", False),
    ],
)
def test_only_types_that_are_text_inside_are_compressed(
    api: Site, kind: str, is_wanted: bool
) -> None:
    assert is_compressed(api.get(Content_Type=kind)) is is_wanted


def test_a_generator_is_no_longer_one_when_it_would_be_compressed(api: Site) -> None:
    found = api.get("/chunks")

    assert not is_compressed(found)
    assert TEXT.encode() in found.body


def test_events_are_left_alone_even_if_they_are_all_there(api: Site) -> None:
    assert not is_compressed(api.get("/events"))


def test_what_would_not_become_smaller_stays_as_it_is() -> None:
    app = Flask(__name__)
    app.get("/")(compress(min_length=0)(lambda: "ab"))

    found = app.test_client().get("/", headers=GZIP)

    assert found.data == b"ab"
    assert "Content-Encoding" not in found.headers


# the head


def test_head_has_the_head_of_get(api: Site) -> None:
    head, get = api.ask("HEAD", "/answer", "gzip"), api.get()

    assert head.body == b""
    for name in ("content-encoding", "content-length", "vary"):
        assert head.headers[name] == get.headers[name]


def test_an_etag_becomes_weak_and_still_finds_its_answer() -> None:
    app = Flask(__name__)

    @app.get("/")
    @compress()
    def view() -> Response:
        response = Response(TEXT)
        response.set_etag("one")
        return response.make_conditional(request)  # type: ignore[return-value]

    client = app.test_client()
    first = client.get("/", headers=GZIP)
    again = client.get("/", headers={**GZIP, "If-None-Match": first.headers["ETag"]})
    plain = client.get("/")

    assert first.headers["ETag"] == 'W/"one"'
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Vary"] == first.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in again.headers
    assert plain.headers["ETag"] == '"one"'


def test_ranges_are_no_longer_offered(api: Site) -> None:
    assert "accept-ranges" not in api.get(Accept_Ranges="bytes").headers


def test_vary_is_appended_and_never_twice() -> None:
    app = Flask(__name__)

    def view(name: str) -> Response:
        response = Response(TEXT)
        for value in name.split("+"):
            response.headers.add("Vary", value)
        return response

    app.get("/<name>")(compress()(view))
    client = app.test_client()
    found = {
        name: client.get(f"/{name}", headers=GZIP).headers.getlist("Vary")
        for name in ("Origin", "Origin+Cookie", "accept-encoding", "*")
    }

    assert found == {
        "Origin": ["Origin, Accept-Encoding"],
        "Origin+Cookie": ["Origin, Cookie, Accept-Encoding"],
        "accept-encoding": ["accept-encoding"],
        "*": ["*"],
    }


# options


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"level": "extreme"}, "compress.level: is"),
        ({"min_length": "-1"}, "compress.min.length: size"),
        ({"colour": "red"}, "unknown option"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        compress(**options)


def test_forgotten_parentheses_are_refused() -> None:
    with pytest.raises(TypeError, match="compress is called with its options"):
        compress(lambda: "")


# around the relays


def test_a_websocket_opens_and_echoes_behind_it() -> None:
    app = Flask(__name__)

    def view(bench: Bench) -> Any:
        return relay(bench.target.pid)

    with relaying(view, app=app) as bench:
        app.view_functions["ws"] = compress(min_length=0)(app.view_functions["ws"])
        with bench.connect(headers=GZIP) as client:
            client_pid = bench.joined()
            bench.node.send(client_pid, "ws.send", TEXT)

            assert client.recv() == TEXT
            assert not {"content-encoding", "vary"} & set(client.response.headers)


def test_a_stream_flows_behind_it_as_it_is() -> None:
    app = Flask(__name__)

    def view(bench: StreamBench) -> Any:
        return stream(bench.target.pid)

    with streaming(view, app=app) as bench:
        app.view_functions["events"] = compress(min_length=0)(app.view_functions["events"])
        with bench.listen(headers=GZIP) as client:
            stream_pid = bench.joined()
            bench.node.send(stream_pid, "sse.message", "one")
            assert client.event() == Event("sse.message", "one", "1")
            bench.node.send(stream_pid, "sse.message", "two")

            assert client.event() == Event("sse.message", "two", "2")
            assert "content-encoding" not in client.headers
