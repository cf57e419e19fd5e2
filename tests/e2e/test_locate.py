"""`swe-agent locate` and `swe-agent graph` as processes."""

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

HEAVY_PACKAGES = {"docker", "litellm", "networkx", "openai", "textual"}


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of a repository and its git directory, by size and time; git updates the time of existing objects."""
    files = [file for file in folder.rglob("*") if not file.is_dir()]
    return {
        str(file): (file.lstat().st_size, 0 if "objects" in file.parts else file.lstat().st_mtime_ns) for file in files
    }


def locate(machine: Machine, repo: Path, *options: str) -> dict:
    return machine.json("locate", "--repo", str(repo), *options)


# locate


def test_locate_ranks_places_of_issue(machine: Machine, calculator: Path, issue_file: str) -> None:
    before = state(calculator)
    result = locate(machine, calculator, "--issue-file", issue_file)
    assert result["returncode"] == 0
    assert set(result) == {"files", "functions", "classes", "seconds", "left_out", "returncode", "stderr"}
    first = result["functions"][0]
    assert set(first) == {"path", "name", "line", "score", "why"}
    assert (first["path"], first["name"], first["line"]) == ("calc/core.py", "add", 1)
    assert result["files"][0]["path"] == "calc/core.py"
    assert set(result["files"][0]) == {"path", "score", "why"}
    assert first["why"]
    assert result["stderr"] == ""
    assert state(calculator) == before


def test_plain_output_is_tree(machine: Machine, calculator: Path, issue_file: str) -> None:
    completed = machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file, "--top", "2")
    assert completed.returncode == 0
    lines = completed.stdout.split("\n")
    assert lines[0] == "add() subtracts  calculator at the working tree"
    assert lines[1][1:].startswith("── calc/core.py — ")
    assert "1. add:1" in completed.stdout
    assert "\x1b" not in completed.stdout


def test_likely_classes_are_shown_with_their_file(machine: Machine, calculator: Path) -> None:
    classes = "".join(f"class Rounding{number}:\n    digits = {number}\n\n\n" for number in range(4))
    (calculator / "calc" / "rounding.py").write_text(classes)
    text = ["--text", "Rounding2 keeps too many digits"]
    first = locate(machine, calculator, *text)["classes"][0]
    assert (first["path"], first["name"], first["line"]) == ("calc/rounding.py", "Rounding2", 9)
    assert set(first) == {"path", "name", "line", "score", "why"}
    output = machine.run("locate", "--repo", str(calculator), *text).stdout
    assert output.index("calc/rounding.py") < output.index("class 1. Rounding2:9") < output.index("class 3. ")
    assert "class 4. " not in output


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_plain_output_fits_width_of_terminal(machine: Machine, calculator: Path, issue_file: str, columns: str) -> None:
    machine.extra["COLUMNS"] = columns
    completed = machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file)
    assert max(map(len, completed.stdout.split("\n"))) <= int(columns)


def test_locate_reads_working_tree_or_base(machine: Machine, calculator: Path) -> None:
    (calculator / "calc" / "fresh.py").write_text("def plus_minus(a, b):\n    return a, -b\n")
    (calculator / "calc" / "core.py").unlink()
    before = state(calculator)
    text = ["--text", "plus_minus() in `calc/fresh.py` is wrong, and so is add()"]
    result = locate(machine, calculator, *text)
    assert result["functions"][0]["name"] == "plus_minus"
    assert "calc/core.py" not in {hit["path"] for hit in result["files"]}
    assert state(calculator) == before
    committed = locate(machine, calculator, *text, "--base", "HEAD")
    assert "calc/fresh.py" not in {hit["path"] for hit in committed["files"]}
    assert committed["files"][0]["path"] == "calc/core.py"


@pytest.mark.parametrize("kind", ["bare", "shallow", "folder", "worktree", "git directory"])
def test_locate_accepts_all_kinds_of_repositories(
    machine: Machine, calculator: Path, issue_file: str, tmp_path: Path, kind: str
) -> None:
    repository = tmp_path / "other"
    if kind == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(calculator), str(repository))
    elif kind == "shallow":
        git(calculator, "commit", "-qm", "More", "--allow-empty")
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{calculator}", str(repository))
    elif kind == "folder":
        repository = calculator / "tests"
    elif kind == "worktree":
        git(calculator, "worktree", "add", "-q", str(repository))
    else:
        git(tmp_path, "clone", "-q", "--bare", str(calculator), str(repository))
        git(repository, "config", "core.bare", "false")
    assert locate(machine, repository, "--issue-file", issue_file)["functions"][0]["name"] == "add"


def test_submodule_is_left_out_and_reported(
    machine: Machine, calculator: Path, issue_file: str, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", str(calculator), str(tmp_path / "lib"))
    git(calculator, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "lib"), "lib")
    git(calculator, "commit", "-qm", "A submodule")
    completed = machine.run("locate", "--repo", str(calculator), "--issue-file", issue_file, "--verbose")
    assert "1 file left out: 1 a submodule" in completed.stdout
    assert "lib  a submodule" in completed.stdout
    assert locate(machine, calculator, "--issue-file", issue_file)["left_out"]["a submodule"] == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
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
def test_bad_arguments_are_refused(
    machine: Machine, calculator: Path, arguments: list[str], code: int, message: str
) -> None:
    result = machine.json("locate", *arguments, cwd=calculator)
    assert (result["returncode"], result["error"]["code"]) == (code, code)
    assert message in result["error"]["message"]


def test_repository_without_commit_is_refused(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    completed = machine.run("locate", "--repo", str(tmp_path / "empty"), "--text", "x")
    assert completed.returncode == 2
    assert "has no commit yet" in completed.stderr
    assert completed.stderr.count("\n") == 1


def test_repository_without_source_has_no_functions(machine: Machine, make_repo) -> None:
    repo = make_repo({"README": "words\n", "empty.py": ""})
    assert locate(machine, repo, "--text", "it breaks")["functions"] == []


def test_damaged_cache_is_rebuilt(machine: Machine, calculator: Path, issue_file: str) -> None:
    first = locate(machine, calculator, "--issue-file", issue_file)
    (database,) = (machine.home / "cache").rglob("graph-*.sqlite")
    database.write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    assert locate(machine, calculator, "--issue-file", issue_file)["functions"] == first["functions"]


def test_unwritable_cache_is_reported_and_not_used(machine: Machine, calculator: Path, issue_file: str) -> None:
    machine.extra["SWE_AGENT_CACHE"] = str(calculator / "calc" / "core.py" / "cache")
    result = locate(machine, calculator, "--issue-file", issue_file)
    assert result["functions"][0]["name"] == "add"
    assert "cannot be used" in result["stderr"]


def test_concurrent_commands_share_cache(machine: Machine, calculator: Path, issue_file: str) -> None:
    command = machine.command("locate", "--repo", str(calculator), "--issue-file", issue_file, "--json")
    started = [subprocess.Popen(command, env=machine.environment, stdout=subprocess.PIPE) for _ in range(3)]
    answers = [json.loads(process.communicate(timeout=100)[0])["functions"] for process in started]
    assert answers[0] == answers[1] == answers[2]


def test_functions_run_by_issue_example_are_marked(machine: Machine, calculator: Path) -> None:
    (calculator / "calc" / "other.py").write_text("def thing():\n    return 1\n\n\ndef unlike():\n    return 2\n")
    text = "It is wrong.\n\n```python\nfrom calc.other import unlike\nunlike()\n```\nand that is not one."
    before = state(calculator)
    result = locate(machine, calculator, "--text", text, "--run", "--workspace", "local")
    hits = {hit["name"]: hit["why"] for hit in result["functions"]}
    assert "runs in the issue's example" in hits["unlike"]
    assert "runs in the issue's example" not in hits.get("thing", ())
    assert state(calculator) == before
    without_run = locate(machine, calculator, "--text", text, "--workspace", "local")
    assert not any("runs in" in why for hit in without_run["functions"] for why in hit["why"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("add() subtracts", "The issue shows no Python code that can be run."),
        ("add():\n```python\nimport os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n```", ""),
    ],
)
def test_missing_or_harmful_example_does_not_stop_locate(
    machine: Machine, calculator: Path, text: str, message: str
) -> None:
    result = locate(machine, calculator, "--text", text, "--run", "--workspace", "local")
    assert result["functions"][0]["name"] == "add"
    assert message in result["stderr"]


def test_unknown_workspace_for_example_is_refused(machine: Machine, calculator: Path) -> None:
    text = "```python\nimport calc\n```"
    result = locate(machine, calculator, "--text", text, "--run", "--workspace", "nowhere")
    assert result["returncode"] == result["error"]["code"] != 0
    assert "Invalid value for --workspace: must be" in result["error"]["message"]


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_locate_prints_in_any_encoding(machine: Machine, calculator: Path, encoding: str) -> None:
    machine.extra["PYTHONIOENCODING"] = encoding
    (calculator / "calc" / "ünlike.py").write_text("def unlike():\n    return 2\n")
    completed = machine.run("locate", "--repo", str(calculator), "--text", "unlike() is … wrong")
    assert (completed.returncode, completed.stderr) == (0, "")
    assert "nlike.py" in completed.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["locate", "--text", "add()"], ["graph", "add"], ["graph", "add", "--json"]])
def test_full_disk_is_reported(machine: Machine, calculator: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        completed = subprocess.run(
            machine.command(*arguments),
            env=machine.environment,
            cwd=calculator,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=100,
            check=False,
        )
    assert completed.returncode == 5
    assert completed.stderr == "swe-agent: The disk is full: No space left on device. Free some space.\n"


def test_verbose_lists_files_left_out(machine: Machine, calculator: Path) -> None:
    (calculator / "notes.txt").write_text("words\n")
    result = locate(machine, calculator, "--text", "add()", "--verbose")
    assert "notes.txt" in result["left_out_paths"]
    assert sum(result["left_out"].values()) == len(result["left_out_paths"])


# locate --patch


@pytest.mark.parametrize("applied", [False, True])
def test_patch_option_lists_affected_callers(machine: Machine, calculator: Path, tmp_path: Path, applied: bool) -> None:
    core = calculator / "calc" / "core.py"
    core.write_text(core.read_text().replace("def add(a, b)", "def add(a, b, c)"))
    git(calculator, "diff", f"--output={tmp_path}/p.diff")
    if not applied:
        git(calculator, "checkout", "-q", ".")
    before = state(calculator)
    result = locate(machine, calculator, "--patch", str(tmp_path / "p.diff"))
    (hit,) = [hit for hit in result["functions"] if hit["name"] == "double"]
    assert hit["why"][0] == "calls add in line 7: c is required"
    assert hit["lines"][0] == {"line": 7, "why": "calls add in line 7: c is required"}
    assert state(calculator) == before


def test_patch_that_does_not_apply_is_refused(machine: Machine, calculator: Path, tmp_path: Path) -> None:
    (tmp_path / "p.diff").write_text("--- a/calc/core.py\n+++ b/calc/core.py\n@@ -1 +1 @@\n-nothing\n+something\n")
    result = locate(machine, calculator, "--patch", str(tmp_path / "p.diff"))
    assert result["returncode"] == 2
    assert "does not apply" in result["error"]["message"]
    (tmp_path / "p.diff").write_text("\n")
    assert "is empty" in locate(machine, calculator, "--patch", str(tmp_path / "p.diff"))["error"]["message"]


def test_patch_without_affected_callers_is_reported(machine: Machine, make_repo, tmp_path: Path) -> None:
    repo = make_repo({"a.py": "def lonely():\n    return 1\n"})
    (repo / "a.py").write_text("def lonely():\n    return 2\n")
    git(repo, "diff", f"--output={tmp_path}/p.diff")
    completed = machine.run("locate", "--repo", str(repo), "--patch", str(tmp_path / "p.diff"))
    assert completed.stdout.split("\n")[1] == "Nothing else is likely to need a change."


# graph


def test_graph_shows_callers_and_callees(machine: Machine, calculator: Path) -> None:
    completed = machine.run("graph", "add", "--repo", str(calculator))
    assert completed.stdout.split("\n")[:5] == [
        "def add(a, b)  calc/core.py:1",
        "├── The sum of two numbers.",
        "└── callers (1)",
        "    └── double  calc/core.py:7",
        "",
    ]
    result = machine.json("graph", "double", "--repo", str(calculator))
    assert result["found"][0]["callees"] == [
        {"path": "calc/core.py", "name": "add", "kind": "function", "line": 1, "at": 7, "weight": 1.0}
    ]


def test_method_is_shown_with_its_class(machine: Machine, make_repo) -> None:
    repo = make_repo({"a.py": "class Till:\n    def sum(self):\n        return 1\n"})
    assert machine.run("graph", "sum", "--repo", str(repo)).stdout.startswith("Till.sum  def sum(self)  a.py:2\n")


def test_further_symbols_of_same_name_are_listed(machine: Machine, make_repo) -> None:
    text = "".join(f"class C{n}:\n    def __init__(self):\n        pass\n\n\n" for n in range(9)) + "C8()\n"
    repo = make_repo({"a.py": text})
    completed = machine.run("graph", "__init__", "--repo", str(repo))
    assert completed.stdout.endswith("\n4 more have this name; choose one, like `a.py:C5.__init__`.\n")
    result = machine.json("graph", "__init__", "--repo", str(repo))
    assert len(result["found"]) == 5
    assert [symbol["name"] for symbol in result["more"]] == [f"C{n}.__init__" for n in range(5, 9)]


def test_bare_repository_is_read_at_head(machine: Machine, calculator: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(calculator), str(tmp_path / "bare"))
    completed = machine.run("locate", "--repo", str(tmp_path / "bare"), "--text", "add()")
    assert completed.stdout.split("\n")[0] == "add()  bare at HEAD"


def test_unknown_symbol_is_refused_with_suggestion(machine: Machine, calculator: Path) -> None:
    result = machine.json("graph", "duoble", "--repo", str(calculator))
    assert result["returncode"] == result["error"]["code"] == 2
    assert "double (calc/core.py:6)" in result["error"]["fix"]
    long = machine.json("graph", "z" * 5_000, "--repo", str(calculator))
    assert long["error"]["message"] == f"There is no symbol '{'z' * 100}'."


class Page(html.parser.HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_html_page_is_self_contained_and_safe(machine: Machine, make_repo, tmp_path: Path) -> None:
    hostile_source = 'def add(a="</script><img src=x onerror=alert(1)>"):\n    """<b>&amp;\'"""\n    return a\n'
    callers = "".join(f"def use{n}():\n    return add()\n\n\n" for n in range(30))
    repo = make_repo({"a.py": hostile_source + "\n\n" + callers})
    page = tmp_path / "page.html"
    assert machine.run("graph", "add", "--repo", str(repo), "--html", str(page)).returncode == 0
    text = page.read_text()
    parsed = Page(text)
    assert [name for name, _ in parsed.tags].count("script") == 2
    assert not {"img", "link", "iframe", "b"} & {name for name, _ in parsed.tags}
    assert not re.findall(r"https?://|url\(|@import", text)
    policy = next(attributes["content"] for name, attributes in parsed.tags if "http-equiv" in attributes)
    assert policy
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    boxes_data = json.loads(re.search(r'id="page-data">(.*?)</script>', text, re.DOTALL)[1])
    boxes = {attributes["id"] for _, attributes in parsed.tags if "box" in (attributes.get("class") or "").split()}
    assert boxes == set(boxes_data)
    assert any(len(symbol.get("rest", ())) == 22 for symbol in boxes_data.values())


def test_unwritable_html_page_is_reported(machine: Machine, calculator: Path) -> None:
    result = machine.json("graph", "add", "--repo", str(calculator), "--html", str(calculator / "no" / "page.html"))
    assert result["returncode"] == 2
    assert "cannot be written" in result["error"]["message"]


# Start-up time


def test_locate_and_graph_import_no_heavy_packages(machine: Machine, calculator: Path, issue_file: str) -> None:
    for arguments in (["locate", "--issue-file", issue_file], ["graph", "add"]):
        code = (
            f"import atexit, sys, swe_agent\nsys.argv = {['swe-agent', *arguments]!r}\n"
            "atexit.register(lambda: print(sorted(sys.modules), file=sys.stderr))\nswe_agent.main()"
        )
        completed = subprocess.run(
            [sys.executable, "-c", code],
            env=machine.environment,
            cwd=calculator,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert completed.returncode == 0, completed.stderr
        assert not HEAVY_PACKAGES & {name.partition(".")[0] for name in re.findall(r"'([\w.]+)'", completed.stderr)}


def test_odd_files_do_not_stop_locate(machine: Machine, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "odd", CALCULATOR | {"a.js": "function add(a, b) {\n  return a - b\n}\n", "b.py": "def (:\n"}
    )
    (folder / "c.py").write_bytes(b"# \xff\xfe\ndef add_more(): pass\n")
    (folder / "d.py").symlink_to("d.py")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Odd files")
    assert locate(machine, folder, "--text", "add() subtracts")["returncode"] == 0
