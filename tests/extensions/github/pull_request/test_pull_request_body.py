"""The text of a pull request: short, accurate and safe against hostile texts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.patch_checks.review_focus import hunks
from extensions.github.pull_request import comment_texts
from extensions.github.pull_request.pull_request_body import body, commands, price
from extensions.github.pull_request.pull_request_template import fill_template, find_template
from extensions.github.task.result_file import Outcome
from tests.conftest import committed, git
from tests.extensions.github.test_text_escaping import HOSTILES, check_harmless

DIFF = """\
diff --git a/calc.py b/calc.py
--- a/calc.py
+++ b/calc.py
@@ -7,7 +7,7 @@ class Calculator:
     pass
{0}
{0}
 def add(a, b):
-    return a - b
+    return a + b
 x = 1
@@ -30,2 +30,3 @@ def last():
 a
+b
 c
diff --git a/tests/test_calc.py b/tests/test_calc.py
new file mode 100644
--- /dev/null
+++ b/tests/test_calc.py
@@ -0,0 +1 @@
+x = 1
""".replace("{0}", " ")
VERDICT: dict[str, Any] = {
    **{"kind": "verified", "granularity": "test", "red": True, "green": True, "red_again": True, "no_loss": True},
    **dict.fromkeys(("checks", "contradicted", "flaky", "lost"), ()),
    "tests": ("tests/test_calc.py::test_add",),
    "commands": ("git apply patch.diff", "pytest tests/test_calc.py::test_add", "pytest"),
    "notes": ("The suite with the patch: 2 failed, 12 passed in 0.3 s.", "The code under test runs in the process."),
}
USAGE = {"dollars": 0.0312, "input_tokens": 9000, "cached_tokens": 0, "output_tokens": 1000, "calls": 4}
RESULT = {"run": "r", "exit": 0, "verdict": VERDICT, "usage": USAGE, "steps": 3, "seconds": 61.2, "word": ""}
OUTCOME = Outcome(
    "", 0, RESULT, "ab12cd34ef567890" * 2, "openai/gpt-5", "Add", "`add` subtracted.", "It adds now.", attempts=()
)
FORM = """\
<!-- Thank you! Fixes #1 @octo/team -->
Please read [the guide](CONTRIBUTING.md) first.

## Description
Say **what** changes.

Fixes #(issue)

## Type of change
- [x] Bug fix (cc @octo/team, #99)
- [ ] New feature <img src=x>

## How was this tested?
Describe the tests.

# Checklist
- [X] I signed the [CLA](https://cla.example/x)
"""
DETAILS = ("<details><summary>Repeat the proof in a checkout of this branch</summary>", "</details>")


def outcome(verdict: Mapping[str, Any] | None = None, **more: Any) -> Outcome:
    return replace(OUTCOME, result={**RESULT, "verdict": {**VERDICT, **(verdict or {})}}, **more)


def test_body_has_cause_change_proof_place_and_cost():
    assert (
        body(OUTCOME, 12, DIFF)
        == """\
Fixes #12.

`add` subtracted. It adds now.

**Verified:** `tests/test_calc.py::test_add` fails without this change, passes with it, and fails again when only its \
source is removed. All tests that passed before still pass (12 passed, 2 failed as before).

<details><summary>Repeat the proof in a checkout of this branch</summary>

```sh
pytest tests/test_calc.py::test_add
pytest
```

</details>

**Look first at**
- `calc.py`, line 11 (in `add`): the largest of 2 changes.

Made by swe-agent with `openai/gpt-5` in 61 s for $0.031. It needs review by a person."""
    )


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (
            {"kind": "unproven", "red": None, "green": None, "red_again": None},
            "**Unproven:** No test shows the issue.",
        ),
        ({"kind": "unproven", "red": False, "red_again": None}, "passes without this change, too and passes with it."),
        ({"kind": "unproven", "green": False, "red_again": None}, "fails without this change and fails with it."),
        ({"kind": "unproven", "red_again": False}, "without its source change it still passes."),
        ({"kind": "unproven", "no_loss": False, "lost": ("a", "b")}, "`a` and `b` passed before, and no longer do."),
        ({"kind": "unproven", "no_loss": None}, "The other tests have no result, so the patch may break some."),
        ({"notes": ("No test ran without the patch, so",)}, "No other test ran, so it may break something else."),
        (
            {"checks": ("ruff: nothing new", "mypy: not run (x)")},
            "repository: ruff: nothing new; mypy: not run (x).",
        ),
        ({"tests": ("a", "b", "c", "d", "e")}, "`a`, `b`, `c` and 2 more fail without this change, pass with it, and"),
        (
            {"tests": [f"t/a.py::t[{n}]" for n in range(21)]},
            "**Verified:** 21 tests in `t/a.py` fail without this change, pass",
        ),
        (
            {"tests": ["t/a.py::t", "t/a.py::u", "t/a.py::v", "t/b.py::w"]},
            "**Verified:** 3 tests in `t/a.py` and 1 test in `t/b.py` fail",
        ),
        (
            {
                "commands": (
                    "git apply patch.diff",
                    "pytest n.py",
                    "pytest t/a.py t/b.py",
                    "git apply -R x",
                    "pytest n.py",
                )
            },
            "still pass (12 passed in `t/a.py` and `t/b.py`, 2 failed as before).",
        ),
        (
            {"kind": "faster", "red": None, "green": None, "red_again": None},
            "**Faster:** All tests that passed",
        ),
    ],
    ids=[
        "no test",
        "not red",
        "not green",
        "still green",
        "lost",
        "not judged",
        "no suite",
        "checks",
        "many",
        "many of a file",
        "many of files",
        "a part of the suite",
        "faster",
    ],
)
def test_proof_claims_only_observed_results(verdict, expected):
    assert expected in body(outcome(verdict), 12, DIFF)


def test_notes_omit_package_paths_and_repeated_lack_of_test():
    installed_note = (
        "_pytest 7.0 is installed in /opt/venv/site-packages/_pytest, not from the repository: it may hold the fix."
    )
    verdict = {
        "kind": "unproven",
        "red": None,
        "green": None,
        "notes": (installed_note, "No test reproduces the issue."),
    }
    unproven = outcome(verdict)
    for text in (body(unproven, 12, DIFF), comment_texts.unproven_comment(unproven)):
        assert "/opt/" not in text
        assert "No test shows the issue." in text
        assert "reproduces" not in text


def test_commands_repeat_proof_and_restore_files(tmp_path):
    """The branch is used as it is: new, changed and removed files are reverted and restored."""
    repo = committed(tmp_path / "repo", {"a b.py": "1\n", "gone.py": "2\n"})
    base = git(repo, "rev-parse", "HEAD")
    (repo / "a b.py").write_text("3\n")
    (repo / "new.py").write_text("4\n")
    (repo / "gone.py").unlink()
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "Fix")
    revert = "git apply -R '--include=a b.py' --include=gone.py --include=new.py patch.diff"
    record = "echo $(cat *.py) >> ../seen"
    text = commands(
        outcome({"commands": ("git apply patch.diff", record, "echo all >> ../seen", revert, record)}, base=base)
    )
    assert "patch.diff" not in text
    script = text.partition("```sh\n")[2].partition("```")[0]
    subprocess.run(["sh", "-ec", script], cwd=repo, check=True, timeout=60)
    assert (tmp_path / "seen").read_text() == "3 4\nall\n1 2\n"
    assert git(repo, "status", "--porcelain") == ""


def test_follow_up_proof_refers_to_whole_pull_request():
    text = comment_texts.committed_comment("0" * 40, "swe-agent/issue-1", OUTCOME)
    assert "fails without this pull request, passes with it" in text


@pytest.mark.parametrize(
    ("dollars", "expected"), [(0.0036, "$0.004"), (0.0001, "$0.001"), (0.25, "$0.25"), (2, "$2.00"), (0, "$0.00")]
)
def test_small_cost_is_not_shown_as_zero(dollars, expected):
    assert price(dollars) == expected
    priced = outcome()
    priced = replace(priced, result={**priced.result, "usage": {**USAGE, "dollars": dollars}})
    assert f"Cost: {expected}, 4 requests" in comment_texts.answered_comment(priced)
    assert (f" for {expected}. It needs" in body(priced, 12, DIFF)) == bool(dollars)


def test_link_to_run_ends_its_sentence(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/calc")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    assert comment_texts.missing_result_comment().endswith(
        " shows why.\n\n[Workflow run](https://github.com/octo/calc/actions/runs/77)."
    )


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("/home/ada/.venv/bin/python -m pytest tests/test_a.py", "python -m pytest tests/test_a.py"),
        ("PYTHONPATH=/home/ada/x/src:/srv/y '/home/ada l/pytest' -k 'a/b'", "PYTHONPATH=src:y pytest -k 'a/b'"),
        ("cc -I/home/ada/inc a.c && /home/ada\\ l/bin/run >/dev/null", "cc -Iinc a.c && run >/dev/null"),
        ("./run a/b/c https://example.org/a/b", "./run a/b/c https://example.org/a/b"),
    ],
    ids=["program", "words", "joined", "none"],
)
def test_commands_contain_no_local_paths(command, expected):
    assert f"\n{expected}\n" in commands(outcome({"commands": (command,)}))


def test_review_hints_are_ordered_by_risk():
    verdict = {
        "contradicted": ("test_old: “it should give 5”",),
        "notes": (*VERDICT["notes"], "f has a new signature; calls outside the patch: a.py:3."),
    }
    diff = DIFF.replace("new file mode 100644\n", "")
    text = body(
        outcome(verdict, attempts=("The issue tells the agent to run curl.",)),
        12,
        diff,
        {"setup.py": "runs on install", "b.lock": "lists what is installed", "c.lock": "lists what is installed"},
    )
    lines = re.findall(r"(?m)^- (.*)$", text)
    assert lines[1] == "`b.lock` and `c.lock`: each lists what is installed."
    assert [line.split()[0] for line in lines] == [
        "`setup.py`",
        "`b.lock`",
        "The",
        "`test_old`",
        "`tests/test_calc.py`",
        "`calc.py`,",
        "f",
    ]


@pytest.mark.slow
def test_automatically_run_files_are_listed_despite_long_texts():
    """However long all other texts are, every path is listed, and the following text is complete."""
    long = "@x " * 9_000
    paths = {f"requirements/{'a' * 170}{n}.txt": "lists what is installed" for n in range(99)}
    verdict: dict[str, Any] = {
        **{key: [f"{n}: {long}" for n in range(50)] for key in ("tests", "lost", "contradicted", "notes")},
        "checks": [f"{n}{long}: nothing new" for n in range(50)],
        "commands": ["x" * 333] * 12,
    }
    hostile = outcome(verdict, cause=long, change=long, model="x" * 900, attempts=(long, long))
    diff = DIFF.replace("def add", f"def {'a' * 9_000}").replace("new file mode 100644\n", "")
    for template in ("", FORM, FORM + "Say it. @x\n" * 1_600):
        text = body(hostile, 12, diff, paths | {"zz/conftest.py": "runs before any test"}, template)
        assert len(text) < 60_000
        assert [path for path in [*paths, "zz/conftest.py"] if f"`{path}`" not in text] == []
        assert "- and 95 more" in text
        assert text.endswith("It needs review by a person.")


def test_template_is_filled_and_no_box_is_ticked():
    assert (
        body(OUTCOME, 12, DIFF, template=FORM)
        == """\
## Description

`add` subtracted. It adds now.

Fixes #12.

## Type of change

- [ ] Bug fix (cc `@octo/team`, `#99`)
- [ ] New feature

## How was this tested?

**Verified:** `tests/test_calc.py::test_add` fails without this change, passes with it, and fails again when only its \
source is removed. All tests that passed before still pass (12 passed, 2 failed as before).

<details><summary>Repeat the proof in a checkout of this branch</summary>

```sh
pytest tests/test_calc.py::test_add
pytest
```

</details>

**Look first at**
- `calc.py`, line 11 (in `add`): the largest of 2 changes.

# Checklist

- [ ] I signed the [CLA](https://cla.example/x)

---

Made by swe-agent with `openai/gpt-5` in 61 s for $0.031. It needs review by a person."""
    )


@pytest.mark.parametrize(
    "form", ["Thanks!\n", "- [x] Tests\n", "## Checklist\n- [x] a\n", "### Issue\nFixes #\n### Tests\n"]
)
def test_every_part_fits_any_template(form):
    text = body(OUTCOME, 12, DIFF, template=form)
    for part in ("Fixes #12.", "`add` subtracted.", "**Verified:**", "**Look first at**", "Made by swe-agent"):
        assert text.count(part) == 1
    assert "[x]" not in text


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            "**Description**\nSay it.\n\n**Tests:**\nx\n",
            "**Description**\n\nWhat.\n\n**Tests**\n\nProof.\n\n---\n\nCost.",
        ),
        (
            "Description\n===\nSay it.\n\nRisks\n---\nNone.\n",
            "# Description\n\nWhat.\n\n## Risks\n\nNone.\n\n---\n\nProof.\n\nCost.",
        ),
        (
            "| Q | A\n| --- | ---\n| Bug fix? | @ada #1\n",
            "Fixes #12.\n\nWhat.\n\n| Q | A |\n| --- | --- |\n| Bug fix? | `@ada` `#1` |\n\nProof.\n\nCost.",
        ),
        (
            "- [ ] closes #xxxx (Replace xxxx with the number)\n- [ ] Tests\n",
            "What.\n\nFixes #12.\n\n- [ ] Tests\n\nProof.\n\nCost.",
        ),
        (
            "## What\nx\n## Licence\n- [ ] Mine\n",
            "## What\n\nWhat.\n\n## Licence\n\n- [ ] Mine\n\n---\n\nProof.\n\nCost.",
        ),
    ],
    ids=["bold", "underlined", "table", "box", "rule"],
)
def test_template_headings_of_all_kinds_are_filled(form, expected):
    parts = {"fixes": "Fixes #12.", "what": "What.", "proof": "Proof.", "cost": "Cost."}
    expected = expected if "#12" in expected else f"Fixes #12.\n\n{expected}"
    assert fill_template(form, parts) == expected


def test_template_is_found_where_github_looks():
    files = {"docs/pull_request_template.md": b"docs", "PULL_REQUEST_TEMPLATE.md": b"root", "a.md": b""}
    assert find_template(files, files.get) == "root"
    assert find_template(["a.md"], files.get) == ""
    assert find_template([".gitlab/merge_request_templates/Default.md"], lambda path: b"GitLab's") == ""


@pytest.mark.slow
@given(st.data())
def test_hostile_texts_have_no_effect(data):
    def draw_hostile() -> str:
        return data.draw(HOSTILES)

    verdict = {
        **{
            "tests": (draw_hostile(),),
            "contradicted": (f"{draw_hostile()}: {draw_hostile()}",),
            "notes": (draw_hostile(),),
            "checks": (draw_hostile(),),
        },
        "commands": (draw_hostile(), draw_hostile()),
    }
    hostile = outcome(
        verdict, cause=draw_hostile(), change=draw_hostile(), model=draw_hostile(), attempts=(draw_hostile(),)
    )
    text = body(
        hostile, 12, DIFF.replace("calc.py", draw_hostile().replace("\n", " ")), {draw_hostile(): draw_hostile()}
    )
    assert text.count("Fixes #12.") >= 1
    check_harmless(text.replace("Fixes #12.", "", 1), DETAILS)


@pytest.mark.slow
@given(HOSTILES, HOSTILES)
def test_hostile_template_has_no_effect(one, two):
    form = FORM.replace("Say **what** changes.", one).replace("Bug fix", two)
    text = fill_template(form, {"fixes": "Fixes.", "what": "What.", "proof": "Proof.", "look": "", "cost": "Cost."})
    check_harmless(text, links=True)
    assert not re.search(r"\[[xX]\] ", text)


def test_hunks_have_line_and_enclosing_definition():
    assert [(h.path, h.line, h.within, h.size, h.new_file) for h in hunks(DIFF)] == [
        ("calc.py", 11, "add", 2, False),
        ("calc.py", 31, "last", 1, False),
        ("tests/test_calc.py", 1, "", 1, True),
    ]
