"""Source: HTTP, "Entries", row http.static."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response
from werkzeug.exceptions import NotFound

from greenrelay.boot import check, read
from greenrelay.cli.routes import routes_of
from greenrelay.errors import ConfigError
from greenrelay.extension import create_apps
from greenrelay.reload.apply import reload
from greenrelay.web import GreenRelay, create_app
from tests.http.middleware.files import Answer, ask
from tests.serving import Refused, connected, serving
from tests.streaming import EventClient

HERE = "tests.http.test_static"
GATEWAY = "- {name: gateway, kind: http.service, addr: '127.0.0.1:0'}\n"


def said() -> str:
    return "the view"


def tail(rest: str) -> str:
    return f"the view: {rest}"


def static(name: object = "site", path: object = "/", **fields: object) -> str:
    entry = {
        "name": name,
        "kind": "http.static",
        "meta.server": "gateway",
        "path": path,
        "directory": "public",
        **fields,
    }
    return f"- {json.dumps(entry)}\n"


def router(name: str = "api", prefix: str = "/", **fields: object) -> str:
    entry = {"name": name, "kind": "http.router", "meta.server": "gateway", "prefix": prefix}
    return f"- {json.dumps({**entry, **fields})}\n"


def endpoint(path: str, func: str = "said", **fields: object) -> str:
    name = f"e{abs(hash((path, func)))}"
    entry = {"name": name, "kind": "http.endpoint", "meta.router": "api", "path": path}
    return (
        f"- {json.dumps({**entry, 'func': func if ':' in func else f'{HERE}:{func}', **fields})}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for ``config.yaml`` with a directory ``public`` in it."""
    (tmp_path / "secret.txt").write_text("secret")
    public = tmp_path / "public"
    (public / "docs" / "empty").mkdir(parents=True)
    (public / ".git").mkdir()
    (public / ".well-known").mkdir()
    (public / "index.html").write_text("home")
    (public / "app.js").write_text("js")
    (public / "LICENSE").write_text("free")
    (public / "docs" / "index.html").write_text("docs")
    (public / "docs" / "a b.txt").write_text("a b")
    (public / "back\\slash").write_text("secret")
    (public / ".env").write_text("secret")
    (public / ".git" / "config").write_text("secret")
    (public / ".well-known" / "security.txt").write_text("mail us")
    (public / "out").symlink_to(tmp_path)
    (public / "out.txt").symlink_to(tmp_path / "secret.txt")
    (public / "in.txt").symlink_to("LICENSE")
    os.mkfifo(public / "pipe")
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "config.yaml"


def app_of(file: Path, *entries: str) -> Flask:
    file.write_text(GATEWAY + "".join(entries))
    return create_app(str(file))


@pytest.fixture
def plain(file: Path) -> Iterator[str]:
    with serving(app_of(file, static(path="/assets"))) as address:
        yield address


@pytest.fixture
def spa(file: Path) -> Iterator[str]:
    with serving(app_of(file, static(spa=True, cache="1h"))) as address:
        yield address


def text(found: Answer) -> tuple[int, str]:
    return found.status, found.body.decode()


# files


def test_a_file_is_served_by_its_name(plain: str) -> None:
    found = ask(plain, "/assets/app.js")

    assert text(found) == (200, "js")
    assert found.headers["content-type"] == "text/javascript; charset=utf-8"
    assert found.headers["content-length"] == "2"


def test_names_are_decoded_once(plain: str) -> None:
    assert text(ask(plain, "/assets/docs/a%20b.txt")) == (200, "a b")
    assert ask(plain, "/assets/docs/a%2520b.txt").status == 404


def test_a_directory_is_served_by_its_index(plain: str) -> None:
    assert text(ask(plain, "/assets/")) == (200, "home")
    assert text(ask(plain, "/assets/docs/")) == (200, "docs")


def test_a_directory_without_its_slash_is_redirected_to_it(plain: str) -> None:
    found = ask(plain, "/assets/docs?a=b")

    assert (found.status, found.headers["location"]) == (308, "./docs/?a=b")


def test_the_address_itself_is_redirected_to_its_slash(plain: str) -> None:
    found = ask(plain, "/assets")

    assert (found.status, found.headers["location"]) == (308, f"http://{plain}/assets/")


def test_a_redirect_never_leads_to_another_host(file: Path, folder: Path) -> None:
    (folder / "public" / "evil.example").mkdir()
    (folder / "public" / "evil.example" / "index.html").write_text("x")

    with serving(app_of(file, static())) as address:
        for path in ("//evil.example", "///evil.example", "/%2fevil.example", "/x//evil.example"):
            location = ask(address, path).headers.get("location", "./")
            assert location.startswith(("./", f"http://{address}/")), path


def test_another_index_can_be_named(file: Path) -> None:
    with serving(app_of(file, static(index="LICENSE"))) as address:
        assert text(ask(address, "/")) == (200, "free")
        assert ask(address, "/docs/").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/assets/missing.txt",
        "/assets/missing",
        "/assets/docs/empty/",
        "/assets/docs/empty",
        "/assets/app.js/",
        "/assets/app.js/x",
        "/assets/pipe",
        "/assets/" + "n" * 300,
        "/assets/" + "n/" * 3000,
        "/assetsapp.js",
        "/app.js",
        "/",
    ],
)
def test_what_is_not_there_is_404(plain: str, path: str) -> None:
    assert ask(plain, path).status == 404


HOSTILE = [
    "../secret.txt",
    "%2e%2e/secret.txt",
    "..%2fsecret.txt",
    "%2e%2e%2fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "docs/../../secret.txt",
    "docs/%2e%2e/%2e%2e/secret.txt",
    "..%5csecret.txt",
    "%5c..%5csecret.txt",
    "docs%5cindex.html",
    "back%5cslash",
    "app.js%00",
    "app.js%00.png",
    "%00",
    "%2fetc/passwd",
    "%2f%2fetc/passwd",
    "/etc/passwd",
    "....//secret.txt",
    "%c0%ae%c0%ae/secret.txt",
    "out/secret.txt",
    "out.txt",
    "out/",
    "out",
    ".env",
    "%2eenv",
    ".git/config",
    "docs/.hidden",
    ".well-known/../.env",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_outside_or_hidden_is_ever_served(plain: str, name: str) -> None:
    found = ask(plain, f"/assets/{name}")

    # Werkzeug may merge slashes, by a redirect to what is not found either.
    may_be = (404, 308) if "//" in f"/{name}".replace("%2f", "/") else (404,)
    assert found.status in may_be
    assert b"secret" not in found.body


@pytest.mark.parametrize("name", [name for name in HOSTILE if "//" not in f"/{name}"])
def test_what_is_refused_is_no_address_of_the_application(spa: str, name: str) -> None:
    found = ask(spa, f"/{name}")

    # What nobody decodes twice, what is no UTF-8 and what Werkzeug strips are names like any other.
    harmless = ("%25", "%c0", "%2f")
    assert found.status == 404 or (name.startswith(harmless) and found.body == b"home")


def test_links_inside_and_well_known_names_are_served(plain: str) -> None:
    assert text(ask(plain, "/assets/in.txt")) == (200, "free")
    assert text(ask(plain, "/assets/.well-known/security.txt")) == (200, "mail us")


def test_a_directory_may_itself_be_behind_a_link(file: Path, folder: Path) -> None:
    (folder / "current").symlink_to("public")

    with serving(app_of(file, static(directory="current"))) as address:
        assert text(ask(address, "/app.js")) == (200, "js")


# methods, ranges, conditions


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_get_and_head_are_allowed(plain: str, method: str) -> None:
    found = ask(plain, "/assets/app.js", method=method, headers={"Content-Length": "0"})

    assert (found.status, sorted(found.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])


def test_head_has_the_head_of_get(plain: str) -> None:
    head, get = (ask(plain, "/assets/app.js", method=each) for each in ("HEAD", "GET"))

    assert head.body == b""
    for name in ("content-length", "content-type", "etag", "last-modified", "cache-control"):
        assert head.headers[name] == get.headers[name]


def test_ranges_and_conditions_work(plain: str) -> None:
    etag = ask(plain, "/assets/app.js").headers["etag"]

    part = ask(plain, "/assets/app.js", headers={"Range": "bytes=1-"})
    same = ask(plain, "/assets/app.js", headers={"If-None-Match": etag})
    beyond = ask(plain, "/assets/app.js", headers={"Range": "bytes=2-"})

    assert (part.status, part.body, part.headers["content-range"]) == (206, b"s", "bytes 1-1/2")
    assert (same.status, same.body) == (304, b"")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */2")


# caches


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "no-cache"),
        ({"cache": "1h"}, "public, max-age=3600"),
        ({"cache": 1.5}, "public, max-age=1"),
        ({"cache": 0}, "public, max-age=0"),
    ],
)
def test_how_long_a_cache_may_keep_it_is_an_option(
    file: Path, fields: dict[str, object], expected: str
) -> None:
    with serving(app_of(file, static(**fields))) as address:
        assert ask(address, "/app.js").headers["cache-control"] == expected


# an application in the page


@pytest.mark.parametrize(
    "path", ["/users/5", "/users/5/", "/docs/empty/", "/naïve", "/a/b/c?d=e.f"]
)
def test_an_unknown_path_gives_the_index(spa: str, path: str) -> None:
    found = ask(spa, path)

    assert text(found) == (200, "home")
    assert found.headers["cache-control"] == "no-cache"
    assert found.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["/missing.js", "/users/jane.png", "/.well-known/change-password"])
def test_an_unknown_file_is_404_all_the_same(spa: str, path: str) -> None:
    assert ask(spa, path).status == 404


def test_files_are_kept_and_the_index_is_not(spa: str) -> None:
    kept = {
        path: ask(spa, path).headers["cache-control"] for path in ("/app.js", "/", "/index.html")
    }

    assert kept == {
        "/app.js": "public, max-age=3600",
        "/": "no-cache",
        "/index.html": "no-cache",
    }


def test_without_its_index_there_is_no_application(file: Path, folder: Path) -> None:
    app = app_of(file, static(spa=True))
    (folder / "public" / "index.html").unlink()

    with serving(app) as address:
        assert ask(address, "/users/5").status == 404


# beside endpoints


def test_endpoints_win(file: Path) -> None:
    app = app_of(
        file,
        static(spa=True),
        static("assets", "/assets"),
        router(),
        endpoint("/app.js"),
        endpoint("/assets/app.js"),
        endpoint("/api/{rest...}", "tail"),
    )

    with serving(app) as address:
        assert text(ask(address, "/app.js")) == (200, "the view")
        assert text(ask(address, "/assets/app.js")) == (200, "the view")
        assert text(ask(address, "/api/app.js")) == (200, "the view: app.js")
        assert text(ask(address, "/assets/LICENSE")) == (200, "free")
        assert text(ask(address, "/users")) == (200, "home")


def test_an_endpoint_for_all_below_the_same_address_wins(file: Path) -> None:
    app = app_of(file, static(path="/assets"), router(), endpoint("/assets/{rest...}", "tail"))

    with serving(app) as address:
        assert text(ask(address, "/assets/app.js")) == (200, "the view: app.js")


def test_an_endpoint_wins_for_its_methods(file: Path) -> None:
    app = app_of(file, static(), router(), endpoint("/app.js", method="POST"))

    with serving(app) as address:
        posted = ask(address, "/app.js", method="POST", headers={"Content-Length": "0"})
        assert text(posted) == (200, "the view")
        assert text(ask(address, "/app.js")) == (200, "js")


def test_middleware_of_a_router_stands_around_files_under_its_prefix(file: Path) -> None:
    app = app_of(file, static(path="/api/files"), router(prefix="/api", middleware="cors"))

    with serving(app) as address:
        assert ask(address, "/api/files/app.js").headers["access-control-allow-origin"] == "*"


def test_files_are_not_compressed(file: Path, folder: Path) -> None:
    (folder / "public" / "long.txt").write_text("long " * 1000)
    app = app_of(file, static(), router(middleware="compress"))

    with serving(app) as address:
        found = ask(address, "/long.txt", headers={"Accept-Encoding": "gzip"})

    assert (found.headers["content-length"], len(found.body)) == ("5000", 5000)


def test_an_app_that_exists_gets_them_too(folder: Path) -> None:
    app = Flask(__name__)
    app.get("/app.js")(said)
    app.errorhandler(NotFound)(lambda error: Response("not here", 404))
    directory = str(folder / "public")
    GreenRelay(app, config=[{**json.loads(static()[2:]), "directory": directory}])

    with serving(app) as address:
        assert text(ask(address, "/app.js")) == (200, "the view")
        assert text(ask(address, "/LICENSE")) == (200, "free")
        assert text(ask(address, "/missing")) == (404, "not here")


def test_each_server_has_its_own(file: Path) -> None:
    other = "- {name: other, kind: http.service, addr: '127.0.0.1:0'}\n"
    entry = static("second", index="LICENSE", **{"meta.server": "other"})
    file.write_text(GATEWAY + other + static() + entry)
    first, second = create_apps(str(file))

    with serving(first) as one, serving(second) as two:
        assert text(ask(one, "/")) == (200, "home")
        assert text(ask(two, "/")) == (200, "free")


# configuration


def problems_of(file: Path, *entries: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        app_of(file, *entries)
    return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]


def test_two_of_one_path_are_refused(file: Path) -> None:
    place = f"{file}:2:69"

    assert problems_of(file, static(), static("again")) == [
        f'3:70: http.static "app:again": path: "/" is taken by http.static "app:site" at {place}'
    ]


def test_one_at_the_prefix_of_a_router_is_refused(file: Path) -> None:
    assert problems_of(file, router(prefix="/api"), static(path="/api/")) == [
        f'3:69: http.static "app:site": path: "/api" is taken by http.router "app:api" '
        f"at {file}:2:68"
    ]


def test_one_at_the_root_stands_beside_routers_without_a_prefix(file: Path) -> None:
    with serving(app_of(file, router(), endpoint("/view"), static())) as address:
        assert text(ask(address, "/view")) == (200, "the view")
        assert text(ask(address, "/app.js")) == (200, "js")


def test_a_directory_that_is_not_there_is_refused(file: Path, folder: Path) -> None:
    sending = router(middleware="sendfile", options={"sendfile.directory": "nope"})
    option = "options.sendfile.directory"

    assert problems_of(file, static(directory="missing"), sending) == [
        f'2:82: http.static "app:site": directory: "{folder}/missing" is no directory',
        f'3:121: http.router "app:api": {option}: "{folder}/nope" is no directory',
    ]


def test_a_file_is_no_directory(file: Path, folder: Path) -> None:
    found = problems_of(file, static(directory="secret.txt"))

    assert found[0].endswith(f'directory: "{folder}/secret.txt" is no directory')


def test_it_is_told_together_with_what_else_is_wrong(file: Path) -> None:
    found = problems_of(file, static(directory="missing"), static("other", "/x", spa="maybe"))

    assert len(found) == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"path": "assets"}, "path: is"),
        ({"path": "/a/{b}"}, "a prefix has no parameters"),
        ({"directory": None}, "directory: is missing"),
        ({"directory": "a\0b"}, "no path has a NUL in it"),
        ({"index": "a/b"}, "it must be the name of a file"),
        ({"index": ".htaccess"}, "it must be the name of a file"),
        ({"spa": "maybe"}, "spa: is"),
        ({"cache": "long"}, "cache: "),
        ({"meta.server": "gatewai"}, 'did you mean "app:gateway"'),
        ({"meta.server": None}, "meta.server: is missing"),
    ],
)
def test_a_wrong_field_is_refused(file: Path, fields: dict[str, object], why: str) -> None:
    found = problems_of(file, static(**fields))

    assert any(why in problem for problem in found)


def test_relative_directories_start_at_the_folder_of_the_file(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(GATEWAY + static())
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")

    configuration = read(str(file))

    assert configuration.statics[0].directory == str(folder / "public")


def test_what_no_file_has_starts_at_the_working_directory(
    file: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(GATEWAY + static())
    monkeypatch.chdir(folder / "public")

    by_option = read(str(file), ["site.directory=docs"])
    by_mapping = read([json.loads(static(directory="docs")[2:])])

    assert by_option.statics[0].directory == str(folder / "public" / "docs")
    assert by_mapping.statics[0].directory == str(folder / "public" / "docs")
    check(Flask(__name__), by_option)


def test_the_table_of_routes_lists_it(file: Path, folder: Path) -> None:
    file.write_text(GATEWAY + static(path="/assets") + router() + endpoint("/view"))

    found = routes_of(read(str(file)))

    assert [(route.methods, route.path, route.answers, route.entry) for route in found] == [
        (("GET", "HEAD"), "/assets/{name...}", str(folder / "public"), "app:site"),
        (("GET",), "/view", f"{HERE}:said", found[1].entry),
    ]


# reload


def test_a_reload_exchanges_it(file: Path) -> None:
    app = app_of(file, static(path="/assets"), static("old", "/old"))

    with serving(app) as address:
        file.write_text(GATEWAY + static(path="/assets", index="LICENSE") + static("new", "/new"))
        changes = reload(app)

        assert 'http.static "app:site": index: "index.html" -> "LICENSE"' in changes.lines
        assert text(ask(address, "/assets/")) == (200, "free")
        assert text(ask(address, "/new/app.js")) == (200, "js")
        assert ask(address, "/old/app.js").status == 404


def test_a_reload_brings_the_first(file: Path) -> None:
    app = app_of(file, router(), endpoint("/view"))

    with serving(app) as address:
        file.write_text(GATEWAY + router() + endpoint("/view") + static())
        reload(app)

        assert text(ask(address, "/app.js")) == (200, "js")
        assert text(ask(address, "/view")) == (200, "the view")


def test_a_reload_with_a_directory_that_is_not_there_changes_nothing(file: Path) -> None:
    app = app_of(file, static())

    with serving(app) as address:
        file.write_text(GATEWAY + static(directory="missing"))
        with pytest.raises(ConfigError, match="is no directory"):
            reload(app)

        assert text(ask(address, "/app.js")) == (200, "js")


# beside the relays


def test_the_relays_work_beside_an_application_at_the_root(file: Path) -> None:
    views = "tests.http.middleware.routed"
    app = app_of(
        file,
        static(spa=True),
        router("api", "/live", post_middleware="websocket_relay, sse_relay"),
        endpoint("/ws", func=f"{views}:echo"),
        endpoint("/events", func=f"{views}:events"),
    )

    with serving(app) as address:
        with connected(address, "/live/ws") as client:
            client.send("hello")
            assert client.recv() == "hello"
        events = EventClient(address, "/live/events")
        assert events.event().data == "127.0.0.1"
        events.drop()
        assert text(ask(address, "/live/else")) == (200, "home")


def test_an_upgrade_that_is_asked_of_a_file_is_none(spa: str) -> None:
    with pytest.raises(Refused) as refused, connected(spa, "/app.js"):
        pass

    assert refused.value.status == 200
