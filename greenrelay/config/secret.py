"""What of a configuration is nobody's business: secrets, told by their names, and users of URLs.

Source: Configuration, the item on ``greenrelay config`` (values that look like secrets are masked).
"""

from __future__ import annotations

import re

MASK = "***"
_SECRET = re.compile(
    r"(?:^|[._-])(?:password|passwd|passphrase|pwd|secrets?|token(?!_auth\.)|credentials?|dsn|"
    r"(?:api|access|private|secret|signing|encryption)[._-]?key)(?:$|[._-])",
    re.IGNORECASE,
)
_USER_OF_URL = re.compile(r"(?<=://)[^/\s]+(?=@)")


def is_secret_name(name: str) -> bool:
    """Say whether what has this name looks like a secret."""
    return _SECRET.search(name) is not None


def without_users(text: str) -> str:
    """Return text with the users of its URLs, and so their passwords, masked."""
    return _USER_OF_URL.sub(MASK, text)
