"""SWE-bench Multimodal: commands, set-up and pictures of its instances."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import Settings
from extensions.github import github_input
from extensions.lab.evaluation import multimodal_specs, reference_pictures
from extensions.lab.evaluation.grading_images import image_of_node
from extensions.lab.evaluation.grading_specs import grading_spec
from extensions.lab.evaluation.instance_grading import EvaluationContext, evaluate_one
from extensions.lab.evaluation.javascript_logs import javascript_reader
from extensions.lab.evaluation.multimodal_specs import multimodal_spec
from extensions.lab.evaluation.reference_pictures import picture_urls, without_pictures
from extensions.lab.instances.dataset_instances import read_golds, read_instances
from tests.conftest import MakeRepo, git
from trajectories.errors import WorkspaceError

PNG = b"\x89PNG\r\n\x1a\n expected"
URL = "https://raw.githubusercontent.com/markedjs/marked/main/test/expected.png"
BINARY = (
    "diff --git a/test/expected.png b/test/expected.png\nindex 1..2\n"
    "Binary files a/test/expected.png and b/test/expected.png differ\n"
)
RUNNER = """#!/bin/sh
if grep -q right src/marked.js && [ -s test/expected.png ] && [ -f test/new.md ]; then
    echo "2 specs, 0 failures"
else
    printf '1) Marked should draw\\n\\n2 specs, 1 failure\\n'
fi
"""


def row(**fields: Any) -> dict[str, Any]:
    """A row with the fields of the data set."""
    return {
        "instance_id": "markedjs__marked-1",
        "repo": "markedjs/marked",
        "base_commit": "",
        "version": "5.0",
        "problem_statement": "It draws a wrong line",
        "image_assets": json.dumps(
            {"problem_statement": [], "test_patch": [{"path": "test/expected.png", "url": URL}]}
        ),
        "FAIL_TO_PASS": json.dumps(["Marked should draw"]),
        "PASS_TO_PASS": json.dumps(["Marked should parse"]),
        **fields,
    }


def test_each_specification_has_parser() -> None:
    specs = multimodal_specs._specs()
    assert all(javascript_reader(spec["log"]) for spec in specs)
    pairs = [(spec["repo"], version) for spec in specs for version in spec["versions"]]
    assert len(pairs) == len(set(pairs))


def test_unknown_version_or_test_file_without_command_has_no_specification() -> None:
    assert multimodal_spec("markedjs/marked", "99.0", ["test/a.js"]) is None
    assert multimodal_spec("own/thing", "5.0", ["test/a.js"]) is None
    assert multimodal_spec("Automattic/wp-calypso", "10.9.0", ["test/e2e/a.js"]) is None


def test_calypso_runs_files_of_test_patch_with_node_of_version() -> None:
    tested = ["client/a/test/__snapshots__/a b.js.snap", "client/a/test/x.js", "packages/b/c d.js", "docs/e.js"]
    spec = multimodal_spec("Automattic/wp-calypso", "10.9.0", tested)
    assert spec is not None
    assert spec.node == "10.9.0"
    start = "./node_modules/.bin/jest --verbose -c=test"
    assert spec.command.splitlines() == [
        f"{start}/client/jest.config.json client/a/test",
        f"{start}/client/jest.config.json client/a/test/x.js",
        f"{start}/packages/jest.config.json 'packages/b/c d.js'",
    ]


def test_karma_gets_chromium_without_screen(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(row(repo="chartjs/Chart.js", version="4.3", test_patch=BINARY)))
    [instance], [gold] = read_instances([tmp_path / "a.jsonl"]), read_golds([tmp_path / "a.jsonl"]).values()
    spec = grading_spec(gold, instance)
    assert (spec.node, spec.publisher, spec.fail_only, spec.browser) == ("21", "swebench", True, True)
    assert "--browsers chrome" in spec.command
    assert any("CHROME_BIN" in line for line in spec.before)
    assert spec.setup is not None
    assert spec.setup({}).endswith("&& pnpm install")


def test_image_of_node_is_users_or_official() -> None:
    assert image_of_node("20", {}) == "node:20"
    assert image_of_node("12.22.12", {}) == "node:12.22.12"
    assert image_of_node("20", {"node": "mine"}) == "mine"
    assert image_of_node("20", {"node": "mine", "node20": "mine:20"}) == "mine:20"


@pytest.mark.parametrize("path", ["/etc/a.png", "../a.png", "a/../../b.png", ".git/a.png", "", 1])
def test_picture_outside_repository_is_left_out(path: Any) -> None:
    assets = {"test_patch": [{"path": path, "url": URL}, {"path": "a.png"}, "b.png", {"path": "c.png", "url": URL}]}
    assert picture_urls({"image_assets": json.dumps(assets)}) == {"c.png": URL}
    assert picture_urls({"image_assets": "{"}) == picture_urls({"image_assets": ["a"]}) == {}


def test_only_contentless_parts_of_patch_are_left_out() -> None:
    text = "diff --git a/a.js b/a.js\n--- a/a.js\n+++ b/a.js\n@@ -1 +1 @@\n-1\n+2\n"
    assert without_pictures(text + BINARY, {"test/expected.png": URL, "a.js": URL}) == text
    assert without_pictures(text + BINARY, {}) == text + BINARY


@pytest.mark.slow
def test_row_is_graded_with_pictures_of_its_tests(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = make_repo({"src/marked.js": "wrong\n", "test/expected.png": "old", "node_modules/.bin/jasmine": RUNNER})
    (repo / "node_modules/.bin/jasmine").chmod(0o755)
    git(repo, "add", "-Af")
    git(repo, "commit", "-qm", "runner")
    patches = {}
    for name, file, text in (("patch", "src/marked.js", "right\n"), ("test_patch", "test/new.md", "*\n")):
        (repo / file).write_text(text)
        git(repo, "add", "-A")
        patches[name] = git(repo, "diff", "--cached") + "\n"
        git(repo, "reset", "-q", "--hard")
    patches["test_patch"] += BINARY
    (tmp_path / "a.jsonl").write_text(json.dumps(row(base_commit=git(repo, "rev-parse", "HEAD"), **patches)))
    [instance], [gold] = read_instances([tmp_path / "a.jsonl"]), read_golds([tmp_path / "a.jsonl"]).values()
    served = {URL: (f"data:image/png;base64,{b64encode(PNG).decode()}",)}
    monkeypatch.setattr(
        github_input, "fetch_images", lambda texts, address: served.get(next(iter(texts)).split('"')[1], ())
    )
    monkeypatch.setattr("extensions.lab.evaluation.grading_images.venv", lambda *_: ())
    options = EvaluationContext(Settings(workspace="local"), lambda _: repo)
    right, wrong = evaluate_one(gold, instance, gold.patch, options), evaluate_one(gold, instance, "", options)
    assert right.resolved, right.log
    assert (wrong.f2p_failed, wrong.p2p_ok) == (gold.fail_to_pass, gold.pass_to_pass)
    served.clear()
    reference_pictures._fetched.cache_clear()
    with pytest.raises(WorkspaceError, match="cannot be fetched"):
        evaluate_one(gold, instance, "", options)
    reference_pictures._fetched.cache_clear()
