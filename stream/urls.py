"""URLs that may be shown: credentials and tokens are masked, however badly they were written."""

from __future__ import annotations

import re

SCHEMES = ("rtsp", "rtsps", "udp", "tcp", "http", "https")
"""What a network source may be."""

MASK = "***"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://", re.ASCII)
_SECRET_NAMES = "key|token|pass|pwd|auth|secret|sig|cred|session|sid|user|login|account"
_SECRET = re.compile(rf"(?i)(?<=[?&;#])([^=&;#?]*(?:{_SECRET_NAMES})[^=&;#?]*)=[^&;]*?(?=[&;]|#[^&;#]*=|$)")
_CUT_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*:[^/?#]*[/?#].*@")
_BARE_LOGIN = re.compile(r"(?![A-Za-z]:[/\\])[^/\\\s:@]+:[^\s]*@")


def scheme(text: str) -> str:
    """The scheme in lower case, '' where the text has none."""
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""


def is_url(text: str) -> bool:
    """True for anything that begins like scheme://, known or not."""
    return bool(scheme(text))


def mask(text: str) -> str:
    """The text without user, password and token values.

    A password may hold unencoded '@', '/', '#' or '?', so all up to the last '@' is hidden wherever a
    login may stand: too much is hidden rather than too little. A bare `user:password@host` is masked
    too; other text without a scheme is a path and stays.

    >>> mask("rtsp://admin:p@ss/w#rd@10.0.0.9:554/live?channel=1&token=abc")
    'rtsp://***@10.0.0.9:554/live?channel=1&token=***'
    """
    found = _SCHEME.match(text)
    if found is None and not _BARE_LOGIN.match(text):
        return text
    head, rest = (text[: found.end()], text[found.end() :]) if found else ("", text)
    return head + _SECRET.sub(rf"\1={MASK}", _mask_login(rest))


def hides_a_slash(text: str) -> bool:
    """True where a password may hold a '/', '?' or '#', at which every reader of URLs ends the host."""
    return bool(_CUT_LOGIN.match(text))


def _mask_login(rest: str) -> str:
    login, at, tail = rest.rpartition("@")
    if not at or not login:
        return rest
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" not in authority and ":" not in authority:
        return rest  # host/path@2: the '@' is the path's own
    return f"{MASK}@{tail}"
