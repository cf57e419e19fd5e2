"""Trim GitHub's description of its API to what tests/github answers.

`.venv/bin/python scripts/github_api.py PACKAGE`, where PACKAGE is the unpacked npm package @octokit/openapi. Words and
examples for people are left out; what a request or an answer may be is not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HOUSE = Path(__file__).resolve().parent.parent
OUT = HOUSE / "tests" / "github" / "description.json"
WORDS = {"description", "summary", "example", "examples", "externalDocs", "tags", "x-github", "title", "servers"}
WEBHOOKS = [
    "issues-labeled",
    "issues-opened",
    "issue-comment-created",
    "pull-request-review-comment-created",
    "workflow-dispatch",
]


def main() -> None:
    package = Path(sys.argv[1])
    whole = json.loads((package / "generated" / "api.github.com.json").read_text("utf-8"))
    version = json.loads((package / "package.json").read_text("utf-8"))["version"]
    hooks = whole.get("webhooks") or whole["x-webhooks"]
    kept: dict[str, Any] = {
        "openapi": whole["openapi"],
        "info": {
            "title": "A part of GitHub's v3 REST API",
            "version": whole["info"]["version"],
            "license": whole["info"]["license"],
            "description": f"From npm @octokit/openapi {version}, trimmed by scripts/github_api.py. MIT licence.",
        },
        "paths": {
            path: {method: bare(whole["paths"][path][method]) for method in methods} for path, methods in used().items()
        },
        "x-webhooks": {name: {"post": bare({"requestBody": hooks[name]["post"]["requestBody"]})} for name in WEBHOOKS},
    }
    kept["components"] = components(whole, kept)
    OUT.write_text(json.dumps(kept, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n", "utf-8")


def used() -> dict[str, list[str]]:
    """The methods of each path that the stand-in answers."""
    sys.path.insert(0, str(HOUSE))
    from tests.github_server import Hub  # noqa: F401  (all routes are registered with it)
    from tests.github_server.routes import ROUTES

    found: dict[str, list[str]] = {}
    for route in ROUTES:
        found.setdefault(route.pattern, []).append(route.method.lower())
    return found


def bare(value: Any, named: bool = False) -> Any:
    """Without what is for people. The keys of `properties` and their like are names and all stay (`named`)."""
    if isinstance(value, dict):
        return {
            key: bare(part, key in ("properties", "responses", "headers", "content") and not named)
            for key, part in value.items()
            if named or key not in WORDS
        }
    return [bare(part) for part in value] if isinstance(value, list) else value


def components(whole: Any, kept: Any) -> dict[str, dict[str, Any]]:
    """All that is referred to from what is kept, and what that refers to."""
    found: dict[str, dict[str, Any]] = {}
    todo = [*references(kept), "#/components/schemas/basic-error"]
    while todo:
        _, _, kind, name = todo.pop().split("/")
        if name not in found.setdefault(kind, {}):
            found[kind][name] = bare(whole["components"][kind][name])
            todo += references(found[kind][name])
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
