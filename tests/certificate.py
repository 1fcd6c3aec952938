"""A certificate for servers that tests start: self-signed, for this machine only."""

from __future__ import annotations

import subprocess
from pathlib import Path


def certificate_in(folder: Path) -> tuple[str, str]:
    """Make a certificate for 127.0.0.1, and no name, and its key; return the PEM files' paths."""
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=tests", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-out", cert, "-keyout", key]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return cert, key
