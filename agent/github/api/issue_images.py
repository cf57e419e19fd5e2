"""The pictures of an issue, as data: URLs. Strangers name them, so they are fetched from GitHub's own hosts only."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from agent.github.bodies import read_body
from agent.intake import MOST_PICTURES, PICTURE, kind_of

if TYPE_CHECKING:
    from requests import Session

    from agent.github.address import Address

MOST, MOST_HOPS = 8, 3
TIMEOUT = 10
SECONDS = 30
"""For all of them together."""
PUBLIC = "https://github.com"
_CONTENT = ("https://user-images.githubusercontent.com", "https://private-user-images.githubusercontent.com")
RAW = "https://raw.githubusercontent.com"
_PULL = re.compile(r"/[^/]+/[^/]+/(?:(?:raw|blob)/)?(?:refs/)?pull/")
_STORED = re.compile(r"https://github-production-user-asset-[0-9a-f]{6}\.s3\.amazonaws\.com", re.ASCII)
"""Where github.com sends those on to who ask for what users attached."""
ATTACHED = "/user-attachments/assets/"


def pictures_of(texts: Iterable[str], address: Address) -> tuple[str, ...]:
    """The pictures that Markdown or HTML names in texts, in order, each once; `MOST_PICTURES` bytes at most.

    What cannot be had is left out: its address and its description stand in the text.
    """
    urls = dict.fromkeys(first or second for text in texts for first, second in PICTURE.findall(text))
    wanted = [url for url in urls if _allowed(url, address)][:MOST]
    if not wanted:
        return ()
    import requests

    found: list[str] = []
    room, until = MOST_PICTURES, time.monotonic() + SECONDS
    with requests.Session() as session:
        session.auth = lambda request: request  # else requests looks for a password in ~/.netrc
        session.headers["User-Agent"] = "swe-agent"
        for url in wanted:
            try:
                data = _fetched(session, url, address, room, until)
            except (requests.RequestException, ValueError):
                continue
            if kind := kind_of(data):
                room -= len(data)
                found.append(f"data:image/{kind};base64,{b64encode(data).decode()}")
    return tuple(found)


def _fetched(session: Session, url: str, address: Address, most: int, until: float) -> bytes:
    """The bytes at an address; none where it is elsewhere, longer, or slower."""
    for hop in range(MOST_HOPS + 1):
        headers = {"Authorization": f"token {address.token}"} if _may_have_token(url, address) else {}
        with session.get(url, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False) as answer:
            if answer.is_redirect and hop < MOST_HOPS:
                url = urljoin(url, answer.headers["Location"])
                if not (_allowed(url, address) or _STORED.fullmatch(_origin(url))):
                    return b""
                continue
            return read_body(answer, most, until) if answer.status_code == 200 else b""
    return b""


def _allowed(url: str, address: Address) -> bool:
    """Whether it is an attachment, or a file of the issue's own repository: what stands there nobody exchanges who may
    not write, after somebody looked at it."""
    origin = _origin(url)
    path = unquote(urlsplit(url).path) if origin else ""
    if ".." in path.split("/") or _PULL.match(path):
        return False
    own = tuple(f"/{address.repository}/{kind}/" for kind in ("assets", "raw", "blob"))
    if origin == address.server:
        return path.startswith((ATTACHED, *own))
    if origin == RAW:
        return address.server == PUBLIC and path.startswith(f"/{address.repository}/")
    return origin in _CONTENT or (origin == PUBLIC and path.startswith(ATTACHED))


def _may_have_token(url: str, address: Address) -> bool:
    return bool(address.token) and _origin(url) == address.server and _allowed(url, address)


def _origin(url: str) -> str:
    """Scheme, host and port; "" for what has more than these before its path, or no host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    plain = "@" not in parts.netloc and "\\" not in url and parts.hostname
    return f"{parts.scheme}://{parts.netloc.lower()}" if plain else ""
