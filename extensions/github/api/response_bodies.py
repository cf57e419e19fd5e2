"""Bodies of HTTP responses, read with limits on size and time."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response

MOST = 32 << 20
"""Maximum number of bytes of an API response; a page of 100 comments of the maximum size has 26 MB."""
SECONDS = 120.0
PIECE = 65_536


def read_body(answer: Response, most: int, until: float) -> bytes:
    """Return the whole body.

    Raises requests' RequestException if it has more than `most` bytes, if it is not complete by the time `until` (of
    the monotonic clock), or if the connection breaks.
    """
    import requests
    from urllib3.exceptions import HTTPError

    data = bytearray()
    try:
        while piece := answer.raw.read1(PIECE, decode_content=True):
            data += piece
            if len(data) > most:
                raise requests.RequestException(f"its answer has more than {most:,} bytes")
            if time.monotonic() > until:
                raise requests.Timeout("its answer does not end")
    except requests.RequestException:
        answer.close()
        raise
    except (HTTPError, OSError) as error:
        answer.close()
        raise requests.ConnectionError(error) from error
    return bytes(data)


@cache
def limit_answers() -> None:
    """Make PyGithub read each response with limits, since it has none of its own."""
    from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

    class Plain(HTTPRequestsConnectionClass):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.session.hooks["response"].append(_read)

    class Secure(HTTPSRequestsConnectionClass):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.session.hooks["response"].append(_read)

    Requester.injectConnectionClasses(Plain, Secure)
    Requester._Requester__persist = True  # type: ignore[attr-defined]  # otherwise each request would open a connection


def _read(answer: Response, *args: Any, **options: Any) -> None:
    answer._content = read_body(answer, MOST, time.monotonic() + SECONDS)
    answer._content_consumed = True  # type: ignore[attr-defined]
