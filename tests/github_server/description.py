"""Checks of requests and answers against GitHub's description of its API."""

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
COMMON_STATUSES = {301, 302, 307, 400, 401, 403, 404, 410, 422, 429, 500, 502, 503}
"""Statuses that GitHub may return for any request, documented only in prose. Their body is a `basic-error`."""


@cache
def description() -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(FILE.read_text("utf-8"), object_hook=_normalize)
    # Check frequent kinds of timeline entries first: finding the right one of sixty kinds takes time.
    whole["components"]["schemas"]["timeline-issue-events"]["anyOf"].sort(
        key=lambda kind: "comment" not in kind["$ref"]
    )
    return {**whole, "servers": [{"url": "/"}]}


def _normalize(part: dict[str, Any]) -> dict[str, Any]:
    """Replace GitHub's extensions of OpenAPI 3.0.

    OpenAPI 3.0 needs null among the values or alternatives beside `nullable`. A `discriminator` of a list matches
    nothing; the alternatives are distinguished without it.
    """
    if part.get("nullable") is True:
        if "enum" in part and None not in part["enum"]:
            part["enum"].append(None)
        for name in {"anyOf", "oneOf"} & part.keys():
            part[name].append({"enum": [None], "nullable": True, "type": "string"})
    if isinstance(part.get("discriminator"), dict):
        del part["discriminator"]
    return part


@cache
def _openapi() -> OpenAPI:
    """The description, and a path for an error that belongs to no operation."""
    whole = description()
    schema = {"$ref": "#/components/schemas/basic-error"}
    error = {
        "get": {"responses": {"default": {"description": "", "content": {"application/json": {"schema": schema}}}}}
    }
    hooks = {f"/hooks/{name}": hook for name, hook in whole["x-webhooks"].items()}
    return OpenAPI.from_dict(
        {**whole, "paths": {**whole["paths"], "/error": error, **hooks}}, config=Config(spec_validator_cls=None)
    )


def violations(request: Request, answer: Answer, pattern: str, parts: Mapping[str, str]) -> Iterator[str]:
    """Yield differences from the description. `pattern` is the described path, `parts` its variables."""
    operation = description()["paths"][pattern].get(request.method.lower())
    if operation is None:
        yield "GitHub has no such operation"
        return
    mock_request = _mock_request(request, pattern, parts)
    # GitHub may refuse malformed requests; then only the answer is checked.
    if answer.status not in (400, 422):
        yield from _errors(lambda: _openapi().validate_request(mock_request))
        yield from _unknown(request, operation)
    if answer.from_proxy or answer.status == 304:
        return
    kind = answer.headers.get("Content-Type", "application/json; charset=utf-8")
    response = MockResponse(answer.data, status_code=answer.status, content_type=kind)
    if str(answer.status) not in operation["responses"]:
        if answer.status not in COMMON_STATUSES:
            yield f"GitHub never answers {answer.status} there"
        mock_request = MockRequest("http://localhost", "get", "/error", path_pattern="/error")
    yield from _errors(lambda: _openapi().validate_response(mock_request, response))


def violations_of_event(name: str, payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield differences of a webhook's payload from the description. `name` is like `issues-labeled`."""
    path = f"/hooks/{name}"
    request = MockRequest(
        "http://localhost",
        "post",
        path,
        path_pattern=path,
        data=json.dumps(payload).encode(),
        content_type="application/json",
    )
    yield from _errors(lambda: _openapi().validate_request(request))


def _mock_request(request: Request, pattern: str, parts: Mapping[str, str]) -> MockRequest:
    path = pattern.format(**{name: quote(value, safe="") for name, value in parts.items()})
    kind = request.headers.get("content-type", "application/json")
    return MockRequest(
        "http://localhost",
        request.method.lower(),
        path,
        path_pattern=pattern,
        view_args=dict(parts),
        args=dict(request.query),
        headers=dict(request.headers),
        data=request.data or None,
        content_type=kind,
    )


def _unknown(request: Request, operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield parameters and fields that GitHub would silently ignore."""
    shared = description()["components"]["parameters"]
    names = [
        part if "name" in part else shared[part["$ref"].rpartition("/")[2]] for part in operation.get("parameters", ())
    ]
    known = {part["name"] for part in names if part["in"] == "query"}
    yield from (f"an unknown parameter {name}" for name in request.query if name not in known)
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if isinstance(request.body, dict) and "properties" in schema:
        yield from (f"an unknown field {name}" for name in request.body if name not in schema["properties"])


def _errors(check: Any) -> Iterator[str]:
    try:
        check()
    except OpenAPIError as error:
        cause = error.__cause__
        details = getattr(cause, "schema_errors", None) or [cause or error]
        for detail in details:
            at = "/".join(map(str, getattr(detail, "absolute_path", ())))
            yield f"{type(error).__name__} at {at or 'the whole'}: {str(getattr(detail, 'message', detail))[:600]}"
