"""Trim GitHub's OpenAPI description to the routes that the fake server in tests/github_server answers.

`.venv/bin/python scripts/github_api.py PACKAGE`, where PACKAGE is the unpacked npm package @octokit/openapi. Keeps the
schemas of requests and responses; drops descriptions and examples.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "github_server" / "description.json"
DOC_KEYS = {"description", "summary", "example", "examples", "externalDocs", "tags", "x-github", "title", "servers"}
OBJECTS_WITH_NAMES = {"properties", "responses", "headers", "content"}
WEBHOOKS = [
    "issues-labeled",
    "issues-opened",
    "issue-comment-created",
    "pull-request-opened",
    "pull-request-review-comment-created",
    "pull-request-synchronize",
    "workflow-dispatch",
    "workflow-run-completed",
]


def main() -> None:
    package = Path(sys.argv[1])
    whole = json.loads((package / "generated" / "api.github.com.json").read_text("utf-8"))
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    hooks = whole.get("webhooks") or whole["x-webhooks"]
    trimmed: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": {
            "title": "A part of GitHub's v3 REST API",
            "version": whole["info"]["version"],
            "license": whole["info"]["license"],
            "description": f"From npm @octokit/openapi {version}, trimmed by scripts/github_api.py. MIT licence.",
        },
        "paths": {
            path: {method: strip(whole["paths"][path][method]) for method in methods}
            for path, methods in answered_methods().items()
        },
        "x-webhooks": {name: {"post": strip({"requestBody": hooks[name]["post"]["requestBody"]})} for name in WEBHOOKS},
    }
    trimmed["components"] = components(whole, trimmed)
    OUT.write_text(json.dumps(trimmed, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def answered_methods() -> dict[str, list[str]]:
    """Return the methods of each path that the fake server answers."""
    sys.path.insert(0, str(ROOT))
    from tests.github_server import Hub  # noqa: F401  (registers all routes)
    from tests.github_server.routes import ROUTES

    found: dict[str, list[str]] = {}
    for route in ROUTES:
        found.setdefault(route.pattern, []).append(route.method.lower())
    return found


def strip(value: Any, has_names: bool = False) -> Any:
    """Return a value without documentation keys. The keys of `properties` and similar objects are names; all stay."""
    if isinstance(value, dict):
        return {
            key: strip(part, key in OBJECTS_WITH_NAMES and not has_names)
            for key, part in value.items()
            if has_names or key not in DOC_KEYS
        }
    return [strip(part) for part in value] if isinstance(value, list) else value


def components(whole: Any, trimmed: Any) -> dict[str, dict[str, Any]]:
    """Return the components that `trimmed` references, directly or through other components."""
    found: dict[str, dict[str, Any]] = {}
    pending = [*references(trimmed), "#/components/schemas/basic-error"]
    while pending:
        _, _, kind, name = pending.pop().split("/")
        if name not in found.setdefault(kind, {}):
            found[kind][name] = strip(whole["components"][kind][name])
            pending += references(found[kind][name])
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


if __name__ == "__main__":
    main()
