"""Findings as SARIF 2.1.0, as GitHub's code scanning and other viewers read it.

The format is https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub requires of it is in
https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from agent.patch_checks.findings import RULES, Finding
from agent.version import __version__
from trajectories.errors import UsageError
from trajectories.journal import write_durably

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT = "%SRCROOT%"
"""The base of all URIs: the root of the repository, in the notation that GitHub uses."""


def as_sarif(
    findings: Sequence[Finding],
    tool: str,
    default: tuple[str, int] = ("", 0),
    properties: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the findings as a SARIF log with one run.

    `tool` is the subcommand, by which GitHub keeps results apart. A finding without a place gets the place `default`,
    since GitHub shows no result without one; it is left out if there is no default either.
    """
    placed = [(one, *((one.path, one.line) if one.path else default)) for one in findings]
    used = [rule for rule in RULES if any(one.rule == rule for one, path, _ in placed if path)]
    marks = fingerprints(findings)
    results = [
        _result(one, path, line, used, mark) for (one, path, line), mark in zip(placed, marks, strict=True) if path
    ]
    driver = {"name": "swe-agent", "version": __version__, "rules": [_rule(name) for name in used]}
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"swe-agent/{tool}/"},
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "utf16CodeUnits",
        "results": results,
        "properties": dict(properties or {}),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def write_sarif(file: Path, log: Mapping[str, Any]) -> None:
    """Write a SARIF log. Raises UsageError if the file cannot be written."""
    try:
        write_durably(file, json.dumps(log, indent=1).encode())
    except OSError as error:
        raise UsageError(f"The SARIF file {file} cannot be written: {error.strerror}.", "Give another file.") from error


def _rule(name: str) -> dict[str, Any]:
    rule = RULES[name]
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": rule.name},
        "fullDescription": {"text": rule.meaning},
        "help": {"text": rule.meaning},
        "defaultConfiguration": {"level": rule.level},
    }


def _result(one: Finding, path: str, line: int, rules: Sequence[str], mark: str) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": _uri(path), "uriBaseId": ROOT}}
    place["region"] = {"startLine": max(1, line)}
    return {
        "ruleId": one.rule,
        "ruleIndex": rules.index(one.rule),
        "level": one.level,
        "message": {"text": _escape(one.text)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"primaryLocationLineHash": mark},
    }


def fingerprints(findings: Iterable[Finding]) -> list[str]:
    """Return a fingerprint for each finding, which stays the same while only line numbers and counts in it change.

    It has 16 hexadecimal digits and an ordinal that distinguishes findings that differ in nothing else.
    """
    seen: Counter[str] = Counter()
    marks = []
    for mark in map(_hash, findings):
        seen[mark] += 1
        marks.append(f"{mark}:{seen[mark]}")
    return marks


def _hash(one: Finding) -> str:
    text = re.sub(r"\d+", "0", one.text)
    return sha256("\0".join((one.rule, one.path, text)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _escape(text: str) -> str:
    """Return text without the links (`[text](url)`) and placeholders (`{0}`) that SARIF finds in a message."""
    return re.sub(r"[\\\[\]]", r"\\\g<0>", text).replace("{", "{{").replace("}", "}}")


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")
