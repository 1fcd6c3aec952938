"""Where running programs can be reached from the command line: a Unix socket for each.

Source: Operations, "Command line". The folder belongs to one user and nobody else may enter it, so
whoever can connect may do whatever the program's own user may. It is ``$GREENRELAY_RUN_DIR``, else
``greenrelay`` in ``$XDG_RUNTIME_DIR``, else ``greenrelay-<uid>`` in the folder of temporary files.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

SUFFIX = ".sock"
# What the kernel takes for the path of a Unix socket, without its final NUL.
MAX_PATH_BYTES = 107


def folder() -> Path:
    """Return the folder of the sockets, which may not exist yet."""
    given = os.environ.get("GREENRELAY_RUN_DIR")
    if given:
        return Path(given)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "greenrelay"
    return Path(tempfile.gettempdir()) / f"greenrelay-{os.getuid()}"


def make_folder() -> Path:
    """Return the folder, made where it was missing; raises OSError where others may use it."""
    found = folder()
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    what = found.lstat()
    if not stat.S_ISDIR(what.st_mode) or what.st_uid != os.getuid():
        raise PermissionError(f"{found}: is not a folder of this user")
    if what.st_mode & 0o077:
        raise PermissionError(f"{found}: others may enter it; it must have mode 700")
    return found


def socket_path(pid: int, number: int) -> Path:
    """Return where the app of that number listens in the program with that process id.

    Raises OSError for a path that is too long, or in a folder that others may enter.
    """
    path = make_folder() / f"{pid}.{number}{SUFFIX}"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise OSError(
            f"{path}: is longer than the {MAX_PATH_BYTES} bytes a socket's path may have; "
            "set GREENRELAY_RUN_DIR to a shorter folder"
        )
    return path


def sockets() -> list[tuple[int, Path]]:
    """Return (process id, path) of every socket there is, by process id; some may be dead."""
    try:
        names = os.listdir(folder())
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [(name.partition(".")[0], name) for name in names if name.endswith(SUFFIX)]
    return sorted((int(pid), folder() / name) for pid, name in found if pid.isdecimal())
