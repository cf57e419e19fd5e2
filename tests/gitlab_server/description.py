"""Checks of requests and answers against the description of GitLab's API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse

from tests.github_server.request import Answer, Request

FILE = Path(__file__).with_name("description.json")
COMMON_STATUSES = {301, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503}
"""Statuses that GitLab may return for any request; their body has a message or an error."""


@cache
def description() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return {**whole, "servers": [{"url": "/"}]}


@cache
def _openapi() -> OpenAPI:
    return OpenAPI.from_dict(description(), config=Config(spec_validator_cls=None))


def violations(request: Request, answer: Answer, pattern: str, parts: Mapping[str, str]) -> Iterator[str]:
    """Yield differences from the description. `pattern` is the described path, `parts` its variables."""
    operation = description()["paths"][pattern].get(request.method.lower())
    if operation is None:
        yield "GitLab has no such operation"
        return
    path = pattern.format(**{name: quote(value, safe="") for name, value in parts.items()})
    mock = MockRequest(
        "http://localhost",
        request.method.lower(),
        path,
        path_pattern=pattern,
        view_args=dict(parts),
        args={name.removesuffix("[]"): values for name, values in request.lists.items()},
        headers=dict(request.headers),
        data=request.data or None,
        content_type=request.headers.get("content-type", "application/json"),
    )
    if answer.status not in (400, 422):  # then the request may be malformed
        yield from _errors(lambda: _openapi().validate_request(mock))
        yield from _unknown(request, operation)
    if answer.from_proxy or answer.raw is not None:
        return
    if str(answer.status) in operation["responses"]:
        response = MockResponse(answer.data, status_code=answer.status, content_type="application/json")
        yield from _errors(lambda: _openapi().validate_response(mock, response))
    elif answer.status not in COMMON_STATUSES:
        yield f"GitLab never answers {answer.status} there"
    elif not isinstance(answer.body, dict) or not {"message", "error"} & answer.body.keys():
        yield f"an answer {answer.status} without a message"


def _unknown(request: Request, operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield parameters and fields that GitLab would silently ignore."""
    known = {part["name"] for part in operation.get("parameters", ()) if part["in"] == "query"}
    yield from (f"an unknown parameter {name}" for name in request.query if name.removesuffix("[]") not in known)
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if isinstance(request.body, dict):
        fields = schema.get("properties", {})
        yield from (f"an unknown field {name}" for name in request.body if name not in fields)


def _errors(check: Any) -> Iterator[str]:
    try:
        check()
    except OpenAPIError as error:
        cause = error.__cause__
        for detail in getattr(cause, "schema_errors", None) or [cause or error]:
            at = "/".join(map(str, getattr(detail, "absolute_path", ())))
            yield f"{type(error).__name__} at {at or 'the whole'}: {str(getattr(detail, 'message', detail))[:600]}"
