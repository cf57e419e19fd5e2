"""Task instances: the fields of SWE-bench, and our own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.candidate_validation import Validation
from extensions.lab.synthesis.source_repository import SourceRepository

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How difficult a task is likely to be.

    `rank` is the rank of the first changed function in `locate` given the issue text, None if it is not listed. `lines`
    counts the lines that `patch` adds and removes, `failing_tests` the tests that fail. `templates` tells whether the
    strategy of that name finds the repair in 60 CPU seconds, None if it was not tried.
    """

    rank: int | None
    lines: int
    failing_tests: int
    templates: bool | None = None


def instance_id(source: SourceRepository, candidate: Candidate) -> str:
    """Return the id, which depends on the repository, the kind and the change only."""
    return f"{source.name.replace('/', '__')}.{candidate.kind}.{candidate.digest}"


def build_instance(
    source: SourceRepository,
    candidate: Candidate,
    validation: Validation,
    planted: str,
    commit: str,
    text: str,
    difficulty: Difficulty,
    *,
    bundle: str,
    seed: int,
    test: str,
    text_model: str,
) -> Row:
    """Return the row of a valid candidate. `planted` is the tree with the change and `commit` the commit of that tree;
    `patch` takes the change back. `text_model` wrote the text; "" if no model did."""
    return {
        "instance_id": instance_id(source, candidate),
        "repo": source.name,
        "base_commit": commit,
        "patch": source.trees.diff(planted, source.tree),
        "test_patch": "",
        "problem_statement": text,
        "hints_text": "",
        "created_at": source.created_at,
        "version": source.version,
        "FAIL_TO_PASS": json.dumps(validation.fail_to_pass),
        "PASS_TO_PASS": json.dumps(validation.pass_to_pass),
        "environment_setup_commit": source.commit,
        "bundle": bundle,
        "test": test,
        "text_model": text_model,
        "kind": candidate.kind,
        "operator": candidate.operator,
        "symbols": list(candidate.symbols),
        "seed": seed,
        "source_commit": source.commit,
        "mutation_patch": source.trees.diff(source.tree, planted),
        "difficulty": asdict(difficulty),
    }
