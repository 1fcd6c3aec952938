"""Source: HTTP, "Middleware", row sendfile; RFC 9110, sections 13 and 14."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask, Response

from greenrelay.errors import ConfigError
from greenrelay.http.middleware.sendfile import HEADER
from greenrelay.http.served_file import PIECE, FileBody
from greenrelay.web import create_app, relay, sendfile, stream
from tests.http.middleware import files
from tests.http.middleware.files import Answer, ask, note_not_found, site
from tests.relaying import Bench, relaying
from tests.serving import serving
from tests.streaming import Bench as StreamBench
from tests.streaming import Event, streaming

TEN = b"0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of files, with things around it that nobody may get."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "files-too").mkdir()
    (tmp_path / "files-too" / "x.txt").write_text("secret")
    found = tmp_path / "files"
    (found / "sub").mkdir(parents=True)
    (found / "ten.txt").write_bytes(TEN)
    (found / "sub" / "ten.png").write_bytes(TEN)
    (found / "empty.txt").write_bytes(b"")
    (found / "naïve 100%.txt").write_bytes(TEN)
    (found / "out.txt").symlink_to(tmp_path / "secret.txt")
    (found / "up").symlink_to(tmp_path)
    (found / "in.txt").symlink_to("ten.txt")
    (found / "nowhere").symlink_to("missing")
    (found / "loop").symlink_to("loop")
    os.mkfifo(found / "pipe")
    return found


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    app = create_app(site("sendfile", {"sendfile.directory": str(folder)}))
    note_not_found(app)
    with serving(app) as address:
        yield address


def get(address: str, name: str, method: str = "GET", **headers: str) -> Answer:
    return send(address, {HEADER: name}, method, **headers)


def send(address: str, query: dict[str, str], method: str = "GET", /, **headers: str) -> Answer:
    fields = {key.replace("_", "-"): value for key, value in headers.items()}
    return ask(address, f"/answer?{urlencode(query)}", method=method, headers=fields)


# the file instead of the answer


def test_the_client_gets_the_file_and_never_the_header(address: str) -> None:
    found = get(address, "ten.txt")

    assert (found.status, found.body) == (200, TEN)
    assert found.headers["content-length"] == "10"
    assert HEADER.lower() not in found.headers


def test_an_answer_without_the_header_is_the_views(address: str) -> None:
    assert ask(address, "/answer").body.decode() == files.TEXT


@pytest.mark.parametrize(
    "name", ["ten.txt", "sub/ten.png", "./ten.txt", "sub/../ten.txt", "in.txt"]
)
def test_names_are_relative_to_the_directory(address: str, name: str) -> None:
    assert get(address, name).body == TEN


def test_a_name_is_taken_as_it_is(folder: Path) -> None:
    app = Flask(__name__)
    app.get("/")(
        sendfile(directory=folder.as_posix())(lambda: Response(headers={HEADER: "naïve 100%.txt"}))
    )

    with app.test_client().get("/") as found:
        assert found.data == TEN


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "../files-too/x.txt",
        "sub/../../secret.txt",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "out.txt",
        "up/secret.txt",
        "up",
        "..\\secret.txt",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "ten.txt\0.png",
        "ten.txt\\..\\..\\secret.txt",
        "missing.txt",
        "nowhere",
        "loop",
        "sub",
        "sub/",
        "ten.txt/",
        "ten.txt/x",
        ".",
        "",
        "pipe",
        "n" * 300,
        "n/" * 1200,
    ],
)
def test_what_is_no_file_in_the_directory_is_not_found(address: str, name: str) -> None:
    found = get(address, name)

    # The page is the app's own.
    assert (found.status, found.body) == (404, b"not here")
    assert HEADER.lower() not in found.headers


def test_a_file_in_the_directory_by_its_whole_path_is_not_found(address: str, folder: Path) -> None:
    assert get(address, str(folder / "ten.txt")).status == 404


def test_the_log_says_what_was_missing(
    address: str, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    get(address, "missing.txt")

    assert f"/answer: X-Sendfile 'missing.txt' is no file in {folder}" in caplog.text


def test_what_is_wrong_with_the_machine_is_no_404(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = Flask(__name__)
    app.get("/")(sendfile(directory=str(folder))(lambda: Response(headers={HEADER: "ten.txt"})))

    def fail(*args: Any) -> int:
        raise OSError(24, "Too many open files")

    client = app.test_client()
    with monkeypatch.context() as patched:
        patched.setattr("greenrelay.http.served_file._open", fail)
        assert client.get("/").status_code == 500


@pytest.mark.parametrize("status", ["404", "500", "302"])
def test_an_error_keeps_its_text_and_loses_the_header(address: str, status: str) -> None:
    found = send(address, {HEADER: "ten.txt", "status": status, "body": "sorry"})

    assert (found.status, found.body) == (int(status), b"sorry")
    assert HEADER.lower() not in found.headers


def test_the_answer_of_the_view_is_closed_unread_and_once(address: str) -> None:
    files.closed.clear()

    assert ask(address, "/watched?file=ten.txt").body == TEN
    assert ask(address, "/watched?file=ten.txt", method="HEAD").body == b""
    assert ask(address, "/watched?file=missing").status == 404
    assert files.closed == ["body", "view"] * 3


def test_other_methods_get_the_whole_file(address: str) -> None:
    found = get(address, "ten.txt", "POST", Range="bytes=0-1", Content_Length="0")

    assert (found.status, found.body) == (200, TEN)


# headers


def test_the_type_is_guessed_unless_the_view_says_one(address: str) -> None:
    guessed = get(address, "sub/ten.png")
    said = send(address, {HEADER: "sub/ten.png", "Content-Type": "image/x-mine"})

    assert guessed.headers["content-type"] == "image/png"
    assert said.headers["content-type"] == "image/x-mine"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.txt", "text/plain; charset=utf-8"),
        ("x.tar.gz", "application/gzip"),
        ("x.json.xz", "application/x-xz"),
        ("x.txt.Z", "application/octet-stream"),
        ("x.unheard-of", "application/octet-stream"),
        ("x", "application/octet-stream"),
        ("data:text/html,x.png", "image/png"),
    ],
)
def test_the_type_is_that_of_the_name(address: str, folder: Path, name: str, kind: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(TEN)

    found = get(address, name)

    assert found.headers["content-type"] == kind
    assert "content-encoding" not in found.headers


def test_headers_of_the_view_stay(address: str) -> None:
    kept = {
        "Content-Disposition": 'attachment; filename="x.txt"',
        "Cache-Control": "private, max-age=60",
        "ETag": '"mine"',
        "Set-Cookie": "a=b",
    }

    found = send(address, {HEADER: "ten.txt", **kept})

    assert {name: found.headers[name.lower()] for name in kept} == kept
    assert send(address, {HEADER: "ten.txt", **kept}, If_None_Match='"mine"').status == 304


def test_a_cache_asks_each_time_unless_the_view_says_how_long(address: str) -> None:
    assert get(address, "ten.txt").headers["cache-control"] == "no-cache"


# ranges


@pytest.mark.parametrize(
    ("asked", "body", "content_range"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=-10", b"0123456789", "bytes 0-9/10"),
        # RFC 9110, 14.1.2: of what is shorter than the suffix the entire representation is used.
        ("bytes=-11", b"0123456789", "bytes 0-9/10"),
        ("bytes=-99999999999999999999", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range_is_a_part(address: str, asked: str, body: bytes, content_range: str) -> None:
    found = get(address, "ten.txt", Range=asked)

    assert (found.status, found.body) == (206, body)
    assert found.headers["content-range"] == content_range
    assert found.headers["content-length"] == str(len(body))


def test_a_range_behind_the_end_is_416(address: str) -> None:
    found = get(address, "ten.txt", Range="bytes=10-")

    assert (found.status, found.headers["content-range"]) == (416, "bytes */10")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "lines=1-2", "bytes=5-2", "nonsense", "bytes="])
def test_a_range_that_cannot_be_one_part_is_ignored(address: str, asked: str) -> None:
    found = get(address, "ten.txt", Range=asked)

    assert (found.status, found.body) == (200, TEN)
    assert found.headers["accept-ranges"] == "bytes"


def test_an_empty_file_has_no_ranges(address: str) -> None:
    found = get(address, "empty.txt", Range="bytes=0-")

    assert (found.status, found.body, found.headers["content-length"]) == (200, b"", "0")


def test_a_range_crosses_the_pieces(address: str, folder: Path) -> None:
    data = os.urandom(3 * PIECE + 100)
    (folder / "long.bin").write_bytes(data)

    found = get(address, "long.bin", Range=f"bytes={PIECE - 5}-{2 * PIECE + 5}")

    assert found.body == data[PIECE - 5 : 2 * PIECE + 6]
    assert get(address, "long.bin").body == data


def test_head_has_the_head_of_the_whole(address: str) -> None:
    found = get(address, "ten.txt", "HEAD", Range="bytes=0-1")

    assert (found.status, found.body, found.headers["content-length"]) == (200, b"", "10")


# conditional requests


def test_what_has_not_changed_is_304(address: str) -> None:
    first = get(address, "ten.txt").headers

    by_etag = get(address, "ten.txt", If_None_Match=first["etag"])
    by_date = get(address, "ten.txt", If_Modified_Since=first["last-modified"])

    assert [(each.status, each.body) for each in (by_etag, by_date)] == [(304, b"")] * 2
    assert by_etag.headers["etag"] == first["etag"]


def test_what_has_changed_is_sent_anew(address: str, folder: Path) -> None:
    first = get(address, "ten.txt").headers
    (folder / "ten.txt").write_bytes(b"changed")

    assert get(address, "ten.txt", If_None_Match=first["etag"]).body == b"changed"


def test_conditions_come_before_ranges(address: str) -> None:
    etag = get(address, "ten.txt").headers["etag"]

    assert get(address, "ten.txt", If_None_Match=etag, Range="bytes=0-1").status == 304
    assert get(address, "ten.txt", If_Match='"other"', Range="bytes=0-1").status == 412
    assert get(address, "ten.txt", If_Match=etag, Range="bytes=0-1").body == b"01"
    assert get(address, "ten.txt", If_Match="*").body == TEN


def test_if_unmodified_since_guards_a_download(address: str) -> None:
    modified = get(address, "ten.txt").headers["last-modified"]

    assert get(address, "ten.txt", If_Unmodified_Since=modified).status == 200
    long_ago = "Thu, 01 Jan 1998 00:00:00 GMT"
    assert get(address, "ten.txt", If_Unmodified_Since=long_ago).status == 412


def test_if_range_of_another_version_gets_the_whole(address: str) -> None:
    etag = get(address, "ten.txt").headers["etag"]

    assert get(address, "ten.txt", Range="bytes=0-1", If_Range=etag).body == b"01"
    assert get(address, "ten.txt", Range="bytes=0-1", If_Range='"old"').body == TEN


def test_if_range_is_heeded_only_for_the_very_same_bytes(address: str) -> None:
    """RFC 9110, 13.1.5: strong comparison of validators, and an exact match of dates."""
    first = get(address, "ten.txt").headers
    later = "Thu, 01 Jan 2099 00:00:00 GMT"

    by_date = get(address, "ten.txt", Range="bytes=0-1", If_Range=first["last-modified"])

    assert by_date.body == b"01"
    for other in (f"W/{first['etag']}", first["etag"].strip('"'), later, "", "nonsense"):
        assert get(address, "ten.txt", Range="bytes=0-1", If_Range=other).body == TEN


def test_if_range_does_not_match_a_weak_validator(address: str) -> None:
    headers = {HEADER: "ten.txt", "ETag": 'W/"mine"'}

    assert send(address, headers, Range="bytes=0-1", If_Range='"mine"').body == TEN


# files that change while they are sent


def test_a_file_that_grows_is_sent_as_long_as_it_was(folder: Path) -> None:
    with open(folder / "ten.txt", "rb", buffering=0) as file:
        body = FileBody(file, 10)
        with open(folder / "ten.txt", "ab") as more:
            more.write(b"more")

        assert b"".join(body) == TEN


def test_a_file_that_shrinks_ends_the_connection(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open(folder / "ten.txt", "rb", buffering=0) as file:
        body = FileBody(file, 10)
        os.truncate(folder / "ten.txt", 4)

        with pytest.raises(BrokenPipeError):
            list(body)
    assert "ten.txt has become shorter" in caplog.text


# options


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sendfile: directory: '.*nope' is no directory"):
        sendfile(directory=str(tmp_path / "nope"))


@pytest.mark.parametrize("options", [{}, {"directory": ""}, {"directory": 5}, {"folder": "x"}])
def test_a_wrong_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="sendfile"):
        sendfile(**options)


# around the relays


def test_a_websocket_opens_and_echoes_behind_it(folder: Path) -> None:
    app = Flask(__name__)

    def view(bench: Bench) -> Any:
        response = relay(bench.target.pid)
        response.headers[HEADER] = "ten.txt"
        return response

    with relaying(view, app=app) as bench:
        app.view_functions["ws"] = sendfile(directory=str(folder))(app.view_functions["ws"])
        with bench.connect() as client:
            bench.node.send(bench.joined(), "ws.send", "hello")

            assert client.recv() == "hello"
            assert not {HEADER.lower(), "etag", "accept-ranges"} & set(client.response.headers)


def test_a_stream_flows_behind_it(folder: Path) -> None:
    app = Flask(__name__)

    def view(bench: StreamBench) -> Any:
        response = stream(bench.target.pid)
        response.headers[HEADER] = "ten.txt"
        return response

    with streaming(view, app=app) as bench:
        inner = app.view_functions["events"]
        app.view_functions["events"] = sendfile(directory=str(folder))(inner)
        with bench.listen() as client:
            bench.node.send(bench.joined(), "sse.message", "one")

            assert client.event() == Event("sse.message", "one", "1")
            assert HEADER.lower() not in client.headers
