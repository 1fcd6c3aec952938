"""A real nginx before a server under test, as people put one there."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.running import running

# Debian has it outside of an ordinary user's PATH.
WHERE = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"

CONFIG = """\
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port}{tls};
        {certificate}
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }}
    }}
}}
"""


@contextmanager
def nginx_before(
    upstream: str, folder: Path, certificate: tuple[Path, Path] | None = None
) -> Iterator[str]:
    """Run nginx before ``http://host:port`` or ``http://unix:/path``; yields its ``host:port``."""
    program = shutil.which("nginx") or shutil.which("nginx", path=WHERE)
    assert program is not None, "nginx is not installed: run `make test-setup`"
    port = _free_port()
    lines = ""
    if certificate is not None:
        cert, key = certificate
        lines = f"ssl_certificate {cert}; ssl_certificate_key {key};"
    text = CONFIG.format(
        folder=folder,
        port=port,
        tls="" if certificate is None else " ssl",
        certificate=lines,
        upstream=upstream,
    )
    path = folder / "nginx.conf"
    path.write_text(text)
    with running([program, "-p", str(folder), "-e", "stderr", "-c", str(path)]) as proxy:
        # In single process mode this is the last it says before it serves.
        proxy.wait_for(r"getrlimit\(RLIMIT_NOFILE\)")
        yield f"127.0.0.1:{port}"


def _free_port() -> int:
    # nginx cannot be told to take any free port and say which.
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
