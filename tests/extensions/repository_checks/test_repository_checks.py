"""Checks that the repository configures, run with real tools."""

import re

import pytest

from extensions.repository_checks.repository_checks import find_checks, run_checks
from trajectories.git_store.trees import EMPTY_TREE, Trees

OLD = "import os\n\n\ndef add(a, b):\n    return a + b\n"
RUFF = "[tool.ruff]\nline-length = 100\n"
HOOKS = """\
repos:
  - repo: https://github.com/pre-commit/pre-commit-hooks
    rev: v4.0.0
    hooks:
      - id: end-of-file-fixer
      - id: check-yaml
  - repo: https://github.com/astral-sh/ruff-pre-commit
    rev: v0.6.0
    hooks:
      - id: ruff
  - repo: local
    hooks:
      - id: no-print
        name: No print
        entry: sh no_print.sh
        language: system
        types: [python]
      - id: suite
        entry: python -m pytest
        language: system
"""
NO_PRINT = 'for file in "$@"; do grep -Hn "print(" "$file" && bad=1; done\n[ -z "$bad" ]\n'


@pytest.fixture
def check(make_repo, open_ws):
    """`check(base, patch)` returns the results of the checks for the files of `patch` on top of `base`."""

    def run(base, patch):
        workspace = open_ws("local", make_repo(base))
        trees, start = workspace.options.trees, workspace.options.base.tree
        tree = trees.write({name: text.encode() for name, text in patch.items()}, start)
        with workspace.fork(tree) as after:
            results = run_checks(trees, start, tree, workspace, after, sorted(patch))
            assert all(bool(result.found) == (" new: " in result.line) for result in results)
            return tuple(result.line for result in results)

    return run


@pytest.mark.slow
def test_only_new_findings_are_reported(check):
    base = {"pyproject.toml": RUFF, "a.py": OLD}
    assert check(base, {"a.py": "\n\n" + OLD}) == ("ruff: nothing new",)
    [line] = check(base, {"a.py": OLD.replace("import os", "import os\nimport sys"), "b.py": "import re\n"})
    assert line.startswith("ruff: 2 new: a.py:2:8: F401")
    assert "b.py:1:8: F401" in line


@pytest.mark.slow
def test_unconfigured_check_is_not_run(check):
    assert check({"a.py": OLD}, {"a.py": "import sys\n"}) == ()
    assert check({"pyproject.toml": RUFF, "a.py": OLD}, {"a.txt": "x"}) == ()


@pytest.mark.slow
def test_type_errors_are_reported(check):
    base = {"mypy.ini": "[mypy]\nstrict = True\n", "a.py": "def f(x: int) -> int:\n    return x\n"}
    [line] = check(base, {"a.py": 'def f(x: int) -> int:\n    return "x"\n'})
    assert re.match(r"mypy: 1 new: a\.py:2: error: Incompatible return value", line)


def test_local_pre_commit_hooks_are_run(check):
    base = {".pre-commit-config.yaml": HOOKS, "a.py": "print(1)\n", "no_print.sh": NO_PRINT}
    lines = check(base, {"a.py": "x = 1\nprint(1)\nprint(2)\n", "b.txt": "print(3)\n"})
    assert lines == (
        "ruff: nothing new",
        "no-print: 1 new: a.py:3:print(2)",
        "end-of-file-fixer, check-yaml, suite: not run (pre-commit would have to fetch them)",
    )


def test_missing_tool_is_reported(check):
    base = {".flake8": "[flake8]\n", "tsconfig.json": "{}", "a.py": OLD, "a.ts": "x\n", ".eslintrc": "{}"}
    report = check(base, {"a.py": "x = 1\n", "a.ts": "y\n"})
    missing = ("eslint", "tsc", "flake8")
    assert sorted(report) == sorted(f"{name}: not run (it is not installed)" for name in missing)


def test_check_that_fails_on_base_is_not_run(check):
    base = {"ruff.toml": "nonsense = [\n", "a.py": OLD}
    assert check(base, {"a.py": "x = 1\n"}) == ("ruff: not run (it fails on the base too)",)


def test_all_supported_checks_are_found(tmp_path):
    trees = Trees(tmp_path / "t.git")
    names = [".flake8", ".isort.cfg", "mypy.ini", "ruff.toml", "go.mod", "tsconfig.json", "eslint.config.mjs"]
    tree = trees.write({**dict.fromkeys(names, b"x"), "pyproject.toml": b"[tool.black]\n"}, EMPTY_TREE)
    checks, others = find_checks(trees, tree)
    assert {check.name for check in checks} >= {"ruff", "flake8", "black", "isort", "mypy", "eslint", "tsc", "gofmt"}
    assert others == []
    trees.close()


HOOK = """\
exclude: ^vendored/
repos:
  - repo: local
    hooks:
      - id: own
        language: system
        entry: sh no_print.sh
        files: |
          (?x)^(
            src/.*|
            lib/x\\.py
          )$
        exclude: _generated\\.py$
"""


def test_hook_runs_on_the_files_that_it_names(check):
    base = {".pre-commit-config.yaml": HOOK, "no_print.sh": NO_PRINT}
    files = ("src/a.py", "lib/x.py", "lib/y.py", "src/a_generated.py", "vendored/src/a.py")
    [line] = check(base, dict.fromkeys(files, "print(1)\n"))
    assert line == "own: 2 new: lib/x.py:1:print(1); src/a.py:1:print(1)"
    assert check(base, {"lib/y.py": "print(1)\n"}) == ()


@pytest.mark.parametrize("files", ["(a+)+$", "["])
def test_hook_with_a_pattern_that_cannot_be_matched_is_not_run(check, files):
    hook = HOOK.replace("exclude: _generated", f"exclude: '{files}'\n        name: _generated")
    path = f"src/{'a' * 60}!"
    assert check({".pre-commit-config.yaml": hook, "no_print.sh": NO_PRINT}, {path: "print(1)\n"}) == (
        "own: not run (it is undecided which files it is for)",
    )


@pytest.mark.parametrize(
    "text",
    [
        *(
            "repos: 3",
            "repos: [x, {hooks: [{id: a:b}, {id: [3]}]}]",
            "- a",
            "[" * 100_000,
            "repos: &a [*a]",
            '!!int ""',
        ),
        "repos: [{hooks: [{id: 'x\\ny'}]}]",
    ],
)
def test_other_configuration_gives_no_hooks(tmp_path, text):
    trees = Trees(tmp_path / "t.git")
    tree = trees.write({".pre-commit-config.yaml": text.encode()}, EMPTY_TREE)
    assert find_checks(trees, tree) == ([], [])
    trees.close()
