"""Compare the description that the fake GitLab server is held to with GitLab's own.

`.venv/bin/python scripts/gitlab_api.py FILE`, where FILE is `doc/api/openapi/openapi_v3.yaml` of gitlab-org/gitlab.
Lists operations, parameters and fields of tests/gitlab_server/description.json that GitLab's description does not have.
Types are not compared: GitLab's description has lists as single objects, and numbers as strings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

OURS = Path(__file__).resolve().parent.parent / "tests" / "gitlab_server" / "description.json"
MERGED = {"Member": "UserBasic"}
"""Entities into which GitLab merges the fields of another one, which its description has as a field."""


def main() -> int:
    own = json.loads(OURS.read_text("utf-8"))
    missing = list(differences(own, yaml.load(Path(sys.argv[1]).read_text("utf-8"), yaml.CSafeLoader)))
    print("\n".join(missing) or f"All names of {OURS.name} are in GitLab's description.")
    return 1 if missing else 0


def differences(own: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    """Yield the names of our description that theirs does not have."""
    for path, methods in own["paths"].items():
        for method, operation in methods.items():
            there = theirs["paths"].get(path, {}).get(method)
            if there is None:
                yield f"{method.upper()} {path}"
                continue
            for kind, names in (("parameter", parameters), ("field", body_fields), ("status", statuses)):
                yield from (f"{method.upper()} {path}: {kind} {name}" for name in names(operation) - names(there))
    schemas = theirs["components"]["schemas"]
    for name, entity in own["components"]["schemas"].items():
        sources = [schemas.get(f"APIEntities{source}", {}) for source in (name, MERGED.get(name, name))]
        known = {field for source in sources for field in source.get("properties", {})}
        yield from (f"{name}: field {field}" for field in entity["properties"].keys() - known)


def parameters(operation: dict[str, Any]) -> set[str]:
    return {part["name"] for part in operation.get("parameters", ())}


def body_fields(operation: dict[str, Any]) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {})
    return set(content.get("application/json", {}).get("schema", {}).get("properties", {}))


def statuses(operation: dict[str, Any]) -> set[str]:
    return set(operation["responses"])


if __name__ == "__main__":
    sys.exit(main())
