"""SARIF by the rules of the format and those that GitHub's code scanning documents."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from agent.patch_checks.findings import RULES, Finding
from agent.patch_checks.sarif import as_sarif, fingerprints, write_sarif
from trajectories.errors import UsageError

FINDINGS = [
    Finding("broken-test", "tests/test_a.py::test_b passed before.", "tests/test_a.py"),
    Finding("affected-caller", "area has a new signature.", "calc/core.py", 3),
    Finding("not-verified", "Not verified: no test fails without the change."),
]


def check(log: dict[str, Any]) -> list[dict[str, Any]]:
    """Check a log by the documented rules, and return its results."""
    json.dumps(log).encode()
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://")
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "swe-agent"
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["fullDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note")
    marks = []
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        uri = place["artifactLocation"]["uri"]
        assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", uri)
        assert not uri.startswith("/")
        assert place["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert place["region"]["startLine"] >= 1
        marks.append(result["partialFingerprints"]["primaryLocationLineHash"])
        assert re.fullmatch(r"[0-9a-f]{16}:\d+", marks[-1])
    assert len(set(marks)) == len(marks)
    found: list[dict[str, Any]] = run["results"]
    return found


def test_findings_become_results_with_rules_of_their_own() -> None:
    log = as_sarif(FINDINGS, "prove", ("calc/core.py", 8), {"verdict": "unproven"})
    results = check(log)
    places = [one["locations"][0]["physicalLocation"] for one in results]
    lines = [(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places]
    assert lines == [("tests/test_a.py", 1), ("calc/core.py", 3), ("calc/core.py", 8)]
    run = log["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["broken-test", "not-verified", "affected-caller"]
    assert run["automationDetails"]["id"] == "swe-agent/prove/"
    assert run["properties"] == {"verdict": "unproven"}


def test_every_rule_can_be_written() -> None:
    assert len(check(as_sarif([Finding(rule, "x", "a.py", 1) for rule in RULES], "review"))) == len(RULES)


def test_result_without_any_place_is_left_out() -> None:
    assert check(as_sarif([Finding("not-verified", "x")], "prove")) == []


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü.py", "a%20b/%C3%BC.py"),
        ("new\nline.py", "new%0Aline.py"),
        ("http://x.py", "http%3A//x.py"),
        ("bad-\udcff.py", "bad-%FF.py"),
        ("50%.py?#x", "50%25.py%3F%23x"),
    ],
)
def test_hostile_paths_are_encoded(path: str, uri: str) -> None:
    (result,) = check(as_sarif([Finding("rename", "x", path, 2)], "prove"))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri


def test_message_has_neither_links_nor_placeholders() -> None:
    text = r"[log in](https://evil.example/) {0} a\b"
    (result,) = check(as_sarif([Finding("rename", text, "a.py", 2)], "prove"))
    assert result["message"]["text"] == r"\[log in\](https://evil.example/) {{0}} a\\b"


def test_fingerprint_survives_moved_lines_and_separates_repetitions() -> None:
    one, moved = (Finding("rename", f"a.py:{line} is renamed.", "a.py", line) for line in (3, 12))
    assert fingerprints([one]) == fingerprints([moved])
    assert fingerprints([one]) != fingerprints([Finding("rename", "a.py:3 is renamed.", "b.py", 3)])
    assert len(set(fingerprints([one, moved]))) == 2
    check(as_sarif([one, moved], "prove"))


def test_unwritable_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_sarif(tmp_path / "none" / "x.sarif", {})
