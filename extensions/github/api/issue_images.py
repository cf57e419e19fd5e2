"""The images of an issue, as data: URLs. Strangers choose the URLs, so images are fetched only from GitHub's own
hosts."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from aci.issue_text.image_links import MOST_PICTURES, PICTURE, image_format
from extensions.github.api.response_bodies import read_body

if TYPE_CHECKING:
    from requests import Session

    from agent.inputs.github_urls import Address

MOST, MOST_REDIRECTS = 8, 3
TIMEOUT = 10
SECONDS = 30
"""Maximum number of seconds for fetching all images together."""
PUBLIC = "https://github.com"
_CONTENT = tuple(f"https://{name}.githubusercontent.com" for name in ("user-images", "private-user-images", "cloud"))
"""Hosts of attachments; `cloud` has those of before 2017."""
RAW = "https://raw.githubusercontent.com"
_PULL = re.compile(r"/[^/]+/[^/]+/(?:(?:raw|blob)/)?(?:refs/)?pull/")
_STORED = re.compile(r"https://github-production-user-asset-[0-9a-f]{6}\.s3\.amazonaws\.com", re.ASCII)
"""The hosts to which github.com redirects requests for attachments."""
ATTACHED = "/user-attachments/assets/"


def fetch_images(texts: Iterable[str], address: Address) -> tuple[str, ...]:
    """Return the images that Markdown or HTML in the texts refers to, in order and without duplicates.

    They have at most `MOST_PICTURES` bytes together. Images that cannot be fetched are left out; their URLs and
    descriptions remain in the text.
    """
    urls = dict.fromkeys(first or second for text in texts for first, second in PICTURE.findall(text))
    wanted = [url for url in urls if _allowed(url, address)][:MOST]
    if not wanted:
        return ()
    import requests

    found: list[str] = []
    room, until = MOST_PICTURES, time.monotonic() + SECONDS
    with requests.Session() as session:
        session.auth = lambda request: request  # otherwise requests would use passwords from ~/.netrc
        session.headers["User-Agent"] = "swe-agent"
        for url in wanted:
            try:
                data = _fetched(session, url, address, room, until)
            except (requests.RequestException, ValueError):
                continue
            if kind := image_format(data):
                room -= len(data)
                found.append(f"data:image/{kind};base64,{b64encode(data).decode()}")
    return tuple(found)


def _fetched(session: Session, url: str, address: Address, most: int, until: float) -> bytes:
    """Return the bytes at a URL; none if it cannot be read or redirects to a URL that is not allowed."""
    for redirects in range(MOST_REDIRECTS + 1):
        headers = {"Authorization": f"token {address.token}"} if _may_have_token(url, address) else {}
        with session.get(url, headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False) as answer:
            if answer.is_redirect and redirects < MOST_REDIRECTS:
                url = urljoin(url, answer.headers["Location"])
                if not (_allowed(url, address) or _STORED.fullmatch(_origin(url))):
                    return b""
                continue
            return read_body(answer, most, until) if answer.status_code == 200 else b""
    return b""


def _allowed(url: str, address: Address) -> bool:
    """Whether a URL is an attachment or a file of the issue's own repository.

    Only users with write access can change these files after review.
    """
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
    """Return scheme, host and port of a URL; "" if it has credentials or no host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    plain = "@" not in parts.netloc and "\\" not in url and parts.hostname
    return f"{parts.scheme}://{parts.netloc.lower()}" if plain else ""
