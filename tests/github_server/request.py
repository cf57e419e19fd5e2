"""Requests as received, answers before they are sent, and GitHub's error answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DOCS = "https://docs.github.com/rest"
MESSAGES = {
    301: "Moved Permanently",
    307: "Temporary Redirect",
    401: "Bad credentials",
    403: "Forbidden",
    404: "Not Found",
    410: "This issue was deleted",
    422: "Validation Failed",
    429: "Too Many Requests",
    500: "Server Error",
    502: "Server Error",
    503: "Service unavailable",
}


@dataclass(slots=True)
class Request:
    """A request as received.

    `path` is below the API root and without the query; header names are lower case; `body` is parsed JSON. `token` is
    the one in the authorization header, `status` that of the answer (0 before it).
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    data: bytes = b""
    body: Any = None
    token: str = ""
    status: int = 0
    lists: Mapping[str, list[str]] = field(default_factory=dict)
    """All values of each parameter of the query, for servers that read lists."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is sent as JSON, `raw` as it is. An answer `from_proxy` is not checked against the description."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    from_proxy: bool = False

    @property
    def data(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Refused(Exception):
    """GitHub refuses the request."""

    def __init__(self, status: int, message: str = "", *errors: Mapping[str, Any] | str, **headers: str) -> None:
        super().__init__(status, message)
        body: dict[str, Any] = {
            "message": message or MESSAGES.get(status, "Error"),
            "documentation_url": DOCS,
            "status": str(status),
        }
        if errors:
            body["errors"] = list(errors)
        self.answer = Answer(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
