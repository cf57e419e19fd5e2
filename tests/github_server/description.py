"""Whether requests and answers are as GitHub describes its API."""

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
EVERYWHERE = {301, 302, 307, 400, 401, 403, 404, 410, 422, 429, 500, 502, 503}
"""What GitHub may answer to anything, and says so in prose only. Its body is a `basic-error`."""


@cache
def description() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"), object_hook=_meant)
    # What a timeline mostly holds is tried first: of sixty kinds the one that fits is what takes time to find.
    found["components"]["schemas"]["timeline-issue-events"]["anyOf"].sort(
        key=lambda kind: "comment" not in kind["$ref"]
    )
    return {**found, "servers": [{"url": "/"}]}


def _meant(part: dict[str, Any]) -> dict[str, Any]:
    """GitHub writes `nullable` where OpenAPI 3.0 would have it say null among the values, or the alternatives, too. A
    `discriminator` of a list finds nothing; the alternatives are told apart without it."""
    if part.get("nullable") is True:
        if "enum" in part and None not in part["enum"]:
            part["enum"].append(None)
        for name in {"anyOf", "oneOf"} & part.keys():
            part[name].append({"enum": [None], "nullable": True, "type": "string"})
    if isinstance(part.get("discriminator"), dict):
        del part["discriminator"]
    return part


@cache
def _checked() -> OpenAPI:
    """The description, and a path of ours for an error that belongs to no operation."""
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
    """What of a request and its answer is not as described. `pattern` is the described path, `parts` its variables."""
    known = description()["paths"][pattern].get(request.method.lower())
    if known is None:
        yield "GitHub has no such operation"
        return
    asked = _asked(request, pattern, parts)
    # Requests that GitHub refuses as malformed may be so: then the answer is what is held against the description.
    if answer.status not in (400, 422):
        yield from _found(lambda: _checked().validate_request(asked))
        yield from _unknown(request, known)
    if answer.strange or answer.status == 304:
        return
    kind = answer.headers.get("Content-Type", "application/json; charset=utf-8")
    response = MockResponse(answer.data, status_code=answer.status, content_type=kind)
    if str(answer.status) not in known["responses"]:
        if answer.status not in EVERYWHERE:
            yield f"GitHub never answers {answer.status} there"
        asked = MockRequest("http://localhost", "get", "/error", path_pattern="/error")
    yield from _found(lambda: _checked().validate_response(asked, response))


def violations_of_event(name: str, payload: Mapping[str, Any]) -> Iterator[str]:
    """What of a webhook's payload is not as described. `name` is like `issues-labeled`."""
    path = f"/hooks/{name}"
    asked = MockRequest(
        "http://localhost",
        "post",
        path,
        path_pattern=path,
        data=json.dumps(payload).encode(),
        content_type="application/json",
    )
    yield from _found(lambda: _checked().validate_request(asked))


def _asked(request: Request, pattern: str, parts: Mapping[str, str]) -> MockRequest:
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
    """What GitHub would silently ignore: nobody who sends it gets what they meant."""
    shared = description()["components"]["parameters"]
    names = [
        part if "name" in part else shared[part["$ref"].rpartition("/")[2]] for part in operation.get("parameters", ())
    ]
    known = {part["name"] for part in names if part["in"] == "query"}
    yield from (f"an unknown parameter {name}" for name in request.query if name not in known)
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if isinstance(request.body, dict) and "properties" in schema:
        yield from (f"an unknown field {name}" for name in request.body if name not in schema["properties"])


def _found(check: Any) -> Iterator[str]:
    try:
        check()
    except OpenAPIError as error:
        cause = error.__cause__
        details = getattr(cause, "schema_errors", None) or [cause or error]
        for detail in details:
            at = "/".join(map(str, getattr(detail, "absolute_path", ())))
            yield f"{type(error).__name__} at {at or 'the whole'}: {str(getattr(detail, 'message', detail))[:600]}"
