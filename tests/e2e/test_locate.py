"""`swe-agent locate` and `swe-agent graph`, as a user starts them."""

from __future__ import annotations

import html.parser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import CALCULATOR, Machine, write

pytestmark = pytest.mark.slow

HEAVY = {"docker", "litellm", "networkx", "openai", "textual"}


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a repository with its git directory, by size and time; git renews that of objects it meets."""
    files = [file for file in folder.rglob("*") if not file.is_dir()]
    return {
        str(file): (file.lstat().st_size, 0 if "objects" in file.parts else file.lstat().st_mtime_ns) for file in files
    }


def locate(machine: Machine, repo: Path, *more: str) -> dict:
    return machine.json("locate", "--repo", str(repo), *more)


# locate


def test_where_issue_is_likely_to_be_solved(machine: Machine, calculator: Path, issue_file: str) -> None:
    before = state(calculator)
    found = locate(machine, calculator, "--issue-file", issue_file)
    assert found["returncode"] == 0
    assert set(found) == {"files", "functions", "seconds", "left_out", "returncode", "stderr"}
    first = found["functions"][0]
    assert set(first) == {"path", "name", "line", "score", "why"}
    assert (first["path"], first["name"], first["line"]) == ("calc/core.py", "add", 1)
    assert found["files"][0]["path"] == "calc/core.py"
    assert set(found["files"][0]) == {"path", "score", "why"}
    assert first["why"]
    assert found["stderr"] == ""
    assert state(calculator) == before


def test_as_tree_for_people(machine: Machine, calculator: Path, issue_file: str) -> None:
    done = machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file, "--top", "2")
    assert done.returncode == 0
    lines = done.stdout.split("\n")
    assert lines[0] == "add() subtracts  calculator at the working tree"
    assert lines[1][1:].startswith("── calc/core.py — ")
    assert "1. add:1" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_within_width_of_terminal(machine: Machine, calculator: Path, issue_file: str, columns: str) -> None:
    machine.extra["COLUMNS"] = columns
    done = machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file)
    assert max(map(len, done.stdout.split("\n"))) <= int(columns)


def test_working_tree_as_user_sees_it(machine: Machine, calculator: Path) -> None:
    (calculator / "calc" / "fresh.py").write_text("def plus_minus(a, b):\n    return a, -b\n")
    (calculator / "calc" / "core.py").unlink()
    before = state(calculator)
    text = ["--text", "plus_minus() in `calc/fresh.py` is wrong, and so is add()"]
    seen = locate(machine, calculator, *text)
    assert seen["functions"][0]["name"] == "plus_minus"
    assert "calc/core.py" not in {hit["path"] for hit in seen["files"]}
    assert state(calculator) == before
    committed = locate(machine, calculator, *text, "--base", "HEAD")
    assert "calc/fresh.py" not in {hit["path"] for hit in committed["files"]}
    assert committed["files"][0]["path"] == "calc/core.py"


@pytest.mark.parametrize("kind", ["bare", "shallow", "folder", "worktree", "git directory"])
def test_repositories_of_all_kinds(
    machine: Machine, calculator: Path, issue_file: str, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "other"
    if kind == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(calculator), str(place))
    elif kind == "shallow":
        git(calculator, "commit", "-qm", "More", "--allow-empty")
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{calculator}", str(place))
    elif kind == "folder":
        place = calculator / "tests"
    elif kind == "worktree":
        git(calculator, "worktree", "add", "-q", str(place))
    else:
        git(tmp_path, "clone", "-q", "--bare", str(calculator), str(place))
        git(place, "config", "core.bare", "false")
    assert locate(machine, place, "--issue-file", issue_file)["functions"][0]["name"] == "add"


def test_submodule_is_left_out_and_said(machine: Machine, calculator: Path, issue_file: str, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(calculator), str(tmp_path / "lib"))
    git(calculator, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "lib"), "lib")
    git(calculator, "commit", "-qm", "A submodule")
    done = machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file, "--verbose")
    assert "1 file left out: 1 a submodule" in done.stdout
    assert "lib  a submodule" in done.stdout
    assert locate(machine, calculator, "--issue-file", issue_file)["left_out"]["a submodule"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "No issue was given"),
        (["--text", "x", "--issue-file", "y"], 2, "were all given"),
        (["--text", "x", "--repo", "nowhere"], 2, "There is no folder"),
        (["--text", "x", "--base", "no-such"], 2, "There is no commit 'no-such'"),
        (["--text", "x", "--top", "0"], 2, "top"),
        (["--text", "x", "--patch", "p.diff"], 2, "both given"),
        (["--text", "", "--patch", "p.diff"], 2, "both given"),
        (["--patch", "nowhere.diff"], 2, "cannot be read"),
    ],
)
def test_wrong_usage(machine: Machine, calculator: Path, arguments: list[str], code: int, said: str) -> None:
    found = machine.json("locate", *arguments, cwd=calculator)
    assert (found["returncode"], found["error"]["code"]) == (code, code)
    assert said in found["error"]["message"]


def test_empty_repository_is_said_in_one_sentence(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    done = machine.run("locate", "--repo", str(tmp_path / "empty"), "--text", "x")
    assert done.returncode == 2
    assert "has no commit yet" in done.stderr
    assert done.stderr.count("\n") == 1


def test_repository_without_source(machine: Machine, make_repo) -> None:
    repo = make_repo({"README": "words\n", "empty.py": ""})
    assert locate(machine, repo, "--text", "it breaks")["functions"] == []


def test_damaged_cache_is_made_again(machine: Machine, calculator: Path, issue_file: str) -> None:
    first = locate(machine, calculator, "--issue-file", issue_file)
    (database,) = (machine.home / "cache").rglob("graph-*.sqlite")
    database.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    assert locate(machine, calculator, "--issue-file", issue_file)["functions"] == first["functions"]


def test_without_cache_that_can_be_written(machine: Machine, calculator: Path, issue_file: str) -> None:
    machine.extra["SWE_AGENT_CACHE"] = str(calculator / "calc" / "core.py" / "cache")
    found = locate(machine, calculator, "--issue-file", issue_file)
    assert found["functions"][0]["name"] == "add"
    assert "cannot be used" in found["stderr"]


def test_two_at_once_on_one_cache(machine: Machine, calculator: Path, issue_file: str) -> None:
    command = machine.command("locate", "--repo", str(calculator), "--issue-file", issue_file, "--json")
    started = [subprocess.Popen(command, env=machine.environment, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=100)[0])["functions"] for process in started]
    assert answers[0] == answers[1] == answers[2]


def test_what_issues_example_calls_counts(machine: Machine, calculator: Path) -> None:
    (calculator / "calc" / "other.py").write_text("def thing():\n    return 1\n\n\ndef unlike():\n    return 2\n")
    text = "It is wrong.\n\n```python\nfrom calc.other import unlike\nunlike()\n```\nand that is not one."
    before = state(calculator)
    found = locate(machine, calculator, "--text", text, "--run", "--workspace", "local")
    hits = {hit["name"]: hit["why"] for hit in found["functions"]}
    assert "runs in the issue's example" in hits["unlike"]
    assert "runs in the issue's example" not in hits.get("thing", ())
    assert state(calculator) == before
    asleep = locate(machine, calculator, "--text", text, "--workspace", "local")
    assert not any("runs in" in why for hit in asleep["functions"] for why in hit["why"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("add() subtracts", "The issue shows no Python code that can be run."),
        ("add():\n```python\nimport os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n```", ""),
    ],
)
def test_example_that_is_none_or_does_harm(machine: Machine, calculator: Path, text: str, said: str) -> None:
    found = locate(machine, calculator, "--text", text, "--run", "--workspace", "local")
    assert found["functions"][0]["name"] == "add"
    assert said in found["stderr"]


def test_where_example_cannot_run(machine: Machine, calculator: Path) -> None:
    text = "```python\nimport calc\n```"
    found = locate(machine, calculator, "--text", text, "--run", "--workspace", "nowhere")
    assert found["returncode"] == found["error"]["code"] != 0
    assert "--workspace cannot be used" in found["error"]["message"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_encoding_of_terminal(machine: Machine, calculator: Path, encoding: str) -> None:
    machine.extra["PYTHONIOENCODING"] = encoding
    (calculator / "calc" / "ünlike.py").write_text("def unlike():\n    return 2\n")
    done = machine.run("locate", "--repo", str(calculator), "--text", "unlike() is … wrong")
    assert (done.returncode, done.stderr) == (0, "")
    assert "nlike.py" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["locate", "--text", "add()"], ["graph", "add"], ["graph", "add", "--json"]])
def test_disk_that_is_full(machine: Machine, calculator: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            machine.command(*arguments),
            env=machine.environment,
            cwd=calculator,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
            check=False,
        )
    assert done.returncode == 5
    assert done.stderr == "swe-agent: The disk is full: No space left on device. Free some space.\n"


def test_names_of_what_was_left_out(machine: Machine, calculator: Path) -> None:
    (calculator / "notes.txt").write_text("words\n")
    found = locate(machine, calculator, "--text", "add()", "--verbose")
    assert "notes.txt" in found["left_out_paths"]
    assert sum(found["left_out"].values()) == len(found["left_out_paths"])


# locate --patch


@pytest.mark.parametrize("applied", [False, True])
def test_what_else_patch_concerns(machine: Machine, calculator: Path, tmp_path: Path, applied: bool) -> None:
    core = calculator / "calc" / "core.py"
    core.write_text(core.read_text().replace("def add(a, b)", "def add(a, b, c)"))
    git(calculator, "diff", f"--output={tmp_path}/p.diff")
    if not applied:
        git(calculator, "checkout", "-q", ".")
    before = state(calculator)
    found = locate(machine, calculator, "--patch", str(tmp_path / "p.diff"))
    (hit,) = [hit for hit in found["functions"] if hit["name"] == "double"]
    assert hit["why"] == ["calls add in line 7: c is required"]
    assert state(calculator) == before


def test_patch_that_does_not_fit(machine: Machine, calculator: Path, tmp_path: Path) -> None:
    (tmp_path / "p.diff").write_text("--- a/calc/core.py\n+++ b/calc/core.py\n@@ -1 +1 @@\n-nothing\n+something\n")
    found = locate(machine, calculator, "--patch", str(tmp_path / "p.diff"))
    assert found["returncode"] == 2
    assert "does not apply" in found["error"]["message"]
    (tmp_path / "p.diff").write_text("\n")
    assert "is empty" in locate(machine, calculator, "--patch", str(tmp_path / "p.diff"))["error"]["message"]


def test_patch_without_consequences(machine: Machine, make_repo, tmp_path: Path) -> None:
    repo = make_repo({"a.py": "def lonely():\n    return 1\n"})
    (repo / "a.py").write_text("def lonely():\n    return 2\n")
    git(repo, "diff", f"--output={tmp_path}/p.diff")
    done = machine.run("locate", "--repo", str(repo), "--patch", str(tmp_path / "p.diff"))
    assert done.stdout.split("\n")[1] == "Nothing else is likely to need a change."


# graph


def test_around_definition(machine: Machine, calculator: Path) -> None:
    done = machine.run("graph", "add", "--repo", str(calculator))
    assert done.stdout.split("\n")[:5] == [
        "def add(a, b)  calc/core.py:1",
        "├── The sum of two numbers.",
        "└── callers (1)",
        "    └── double  calc/core.py:7",
        "",
    ]
    told = machine.json("graph", "double", "--repo", str(calculator))
    assert told["found"][0]["callees"] == [
        {"path": "calc/core.py", "name": "add", "kind": "function", "line": 1, "at": 7, "weight": 1.0}
    ]


def test_method_is_told_with_its_class(machine: Machine, make_repo) -> None:
    repo = make_repo({"a.py": "class Till:\n    def sum(self):\n        return 1\n"})
    assert machine.run("graph", "sum", "--repo", str(repo)).stdout.startswith("Till.sum  def sum(self)  a.py:2\n")


def test_more_of_one_name_than_are_shown(machine: Machine, make_repo) -> None:
    text = "".join(f"class C{n}:\n    def __init__(self):\n        pass\n\n\n" for n in range(9)) + "C8()\n"
    repo = make_repo({"a.py": text})
    done = machine.run("graph", "__init__", "--repo", str(repo))
    assert done.stdout.endswith("\n4 more have this name: choose one, like `a.py:C5.__init__`.\n")
    told = machine.json("graph", "__init__", "--repo", str(repo))
    assert len(told["found"]) == 5
    assert [one["name"] for one in told["more"]] == [f"C{n}.__init__" for n in range(5, 9)]


def test_bare_repository_has_no_working_tree(machine: Machine, calculator: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(calculator), str(tmp_path / "bare"))
    done = machine.run("locate", "--repo", str(tmp_path / "bare"), "--text", "add()")
    assert done.stdout.split("\n")[0] == "add()  bare at HEAD"


def test_name_that_nothing_has(machine: Machine, calculator: Path) -> None:
    found = machine.json("graph", "duoble", "--repo", str(calculator))
    assert found["returncode"] == found["error"]["code"] == 2
    assert "double (calc/core.py:6)" in found["error"]["fix"]
    long = machine.json("graph", "z" * 5_000, "--repo", str(calculator))
    assert long["error"]["message"] == f"There is no symbol '{'z' * 100}'."


class Page(html.parser.HTMLParser):
    """What a page holds: tags with their attributes, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_page_that_needs_nothing_else(machine: Machine, make_repo, tmp_path: Path) -> None:
    bad = 'def add(a="</script><img src=x onerror=alert(1)>"):\n    """<b>&amp;\'"""\n    return a\n'
    use = "".join(f"def use{n}():\n    return add()\n\n\n" for n in range(30))
    repo = make_repo({"a.py": bad + "\n\n" + use})
    page = tmp_path / "page.html"
    assert machine.run("graph", "add", "--repo", str(repo), "--html", str(page)).returncode == 0
    text = page.read_text()
    found = Page(text)
    assert [name for name, _ in found.tags].count("script") == 2
    assert not {"img", "link", "iframe", "b"} & {name for name, _ in found.tags}
    assert not re.findall(r"https?://|url\(|@import", text)
    policy = next(attributes["content"] for name, attributes in found.tags if "http-equiv" in attributes)
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    told = json.loads(re.search(r'id="told">(.*?)</script>', text, re.DOTALL)[1])
    boxes = {attributes["id"] for _, attributes in found.tags if "box" in (attributes.get("class") or "").split()}
    assert boxes == set(told)
    assert any(len(one.get("rest", ())) == 22 for one in told.values())


def test_page_that_cannot_be_written(machine: Machine, calculator: Path) -> None:
    found = machine.json("graph", "add", "--repo", str(calculator), "--html", str(calculator / "no" / "page.html"))
    assert found["returncode"] == 2
    assert "cannot be written" in found["error"]["message"]


# Start-up


def test_only_what_is_needed_is_imported(machine: Machine, calculator: Path, issue_file: str) -> None:
    for arguments in (["locate", "--issue-file", issue_file], ["graph", "add"]):
        code = (
            f"import atexit, sys, swe_agent\nsys.argv = {['swe-agent', *arguments]!r}\n"
            "atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\nswe_agent.main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=machine.environment,
            cwd=calculator,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        assert not HEAVY & {name.partition(".")[0] for name in re.findall(r"'([\w.]+)'", done.stderr)}


def test_calculator_of_other_languages_does_not_stop_it(machine: Machine, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "odd", CALCULATOR | {"a.js": "function add(a, b) {\n  return a - b\n}\n", "b.py": "def (:\n"}
    )
    (folder / "c.py").write_bytes(b"# \xff\xfe\ndef add_more(): pass\n")
    (folder / "d.py").symlink_to("d.py")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Odd files")
    assert locate(machine, folder, "--text", "add() subtracts")["returncode"] == 0
