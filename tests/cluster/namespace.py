"""A network namespace: a network of its own for one OS process, that a test can pull the cable of.

The namespace is connected with this machine by a pair of virtual interfaces, whose near end is a
port of a bridge that has an address. ``cut`` takes the port off the bridge: from then on nothing
goes through, no interface goes down and no connection ends. It takes root, and a kernel with
namespaces, bridges and veth.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from ipaddress import IPv4Network
from typing import Self

RANGE = IPv4Network("198.18.0.0/15")
_MAC = "02:00:5e:10:00:01"


class Namespace:
    """A namespace with a network of two addresses; a context manager removes it.

    ``address`` is what a server outside has to listen on to be reached from inside.
    """

    def __init__(self) -> None:
        tag = secrets.token_hex(4)
        # One of so many that nobody else has it, in the range that is set aside for such tests.
        near, other = secrets.choice([*RANGE.subnets(new_prefix=30)]).hosts()
        self.address = str(near)
        self._name, self._bridge, self._near = f"gr-{tag}", f"grb{tag}", f"grn{tag}"
        far = f"grf{tag}"
        try:
            ip("netns", "add", self._name)
            # With an address of its own: it would take over that of its port, and a port that is
            # off the bridge would still take what is sent to it.
            ip("link", "add", self._bridge, "address", _MAC, "type", "bridge")
            ip("address", "add", f"{near}/30", "dev", self._bridge)
            ip("link", "set", self._bridge, "up")
            ip("link", "add", self._near, "type", "veth", "peer", "name", far)
            ip("link", "set", self._near, "master", self._bridge, "up")
            ip("link", "set", far, "netns", self._name)
            ip("-n", self._name, "address", "add", f"{other}/30", "dev", far)
            ip("-n", self._name, "link", "set", far, "up")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def command(self) -> tuple[str, ...]:
        """What stands before a command that is to run inside."""
        return ("ip", "netns", "exec", self._name)

    def cut(self) -> None:
        """Let nothing through from now on."""
        ip("link", "set", self._near, "nomaster")

    def mend(self) -> None:
        """Let everything through again."""
        ip("link", "set", self._near, "master", self._bridge)

    def close(self) -> None:
        """Remove it and the interfaces."""
        for words in (
            ("link", "del", self._near),
            ("link", "del", self._bridge),
            ("netns", "del", self._name),
        ):
            subprocess.run(["ip", *words], check=False, capture_output=True)


def ip(*words: str) -> None:
    """Run ``ip``; raises CalledProcessError."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def can_make_namespaces() -> bool:
    """Whether this machine lets this process make them."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    try:
        with Namespace():
            return True
    except (subprocess.CalledProcessError, OSError):
        return False
