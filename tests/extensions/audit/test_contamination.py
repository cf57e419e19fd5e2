"""Detection of steps that may have shown the fix to the agent."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from extensions.audit import contamination
from extensions.audit.contamination import find_installed_copies, package_names
from tools.base import metadata_of
from trajectories.records import Action, Observation, Step

NAMES = ("flask", "Flask-Login")
find_contamination = partial(contamination.find_contamination, searched=lambda tool: metadata_of(tool).searched)


def step(command: str, text: str = "ok", ok: bool = True, tool: str = "shell") -> Step:
    field = "command" if tool == "shell" else "path"
    return Step("main", 3, "", "coder", "t", 1, (Action(tool, {field: command}),), (Observation(text, ok=ok),))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            "cat /usr/lib/python3/dist-packages/flask/app.py",
            "read /usr/lib/python3/dist-packages/flask/app.py, an installed",
        ),
        ("diff -r src/flask $(python -c 'x')/site-packages/flask", "read"),
        ("sed -n 1,40p '/venv/lib/python3.11/site-packages/flask_login/utils.py'", "flask_login/utils.py"),
        ("pip download --no-deps flask==3.1.0", "fetched flask"),
        ("python3 -m pip install -U 'Flask>=3'", "fetched Flask"),
        ("cd /tmp && uv pip install flask-login", "fetched flask-login"),
        ("git fetch origin main", "read from a remote"),
        ("git -C /x clone https://github.com/pallets/flask", "read from a remote"),
        ("git log --oneline --all -5", "looked for commits after the base"),
        ("git show origin/main:src/flask/app.py", "looked for commits after the base"),
        ("git branch -av", "looked for commits after the base"),
        ("git -c core.pager=cat --no-pager branch -r", "looked for commits after the base"),
        ("git fsck --lost-found", "looked for commits after the base"),
        ("timeout 20 git remote update", "read from a remote"),
        ("bash -c 'git pull'", "read from a remote"),
        ("/opt/venv/bin/pip3.12 install flask", "fetched flask"),
        ("npm view flask versions", "fetched flask"),
        ("python - <<EOF\nprint(urlopen('https://github.com/pallets/flask').read())\nEOF", "read https://github.com"),
        ("curl http://localhost:8000; curl https://github.com/x", "read https://github.com/x"),
        ("git reflog", "looked for commits after the base"),
        ("curl -sL https://github.com/pallets/flask/pull/5014.diff", "read https://github.com/pallets/flask/pull/5014"),
    ],
)
def test_step_that_may_have_shown_fix_is_reported(command, expected):
    (report,) = find_contamination([step(command)], NAMES)
    assert report.startswith("Step main#3 ")
    assert expected in report


def test_failed_step_is_reported_as_attempt():
    failed = "ERROR: Could not find a version that satisfies the requirement flask"
    assert find_contamination([step("pip install flask==3", failed)], NAMES) == ("Step main#3 tried to fetch flask.",)
    refused = step("curl https://pypi.org/simple/flask/", "curl: (6) Could not resolve host", ok=False)
    assert "tried to read https://pypi.org" in find_contamination([refused], NAMES)[0]


@pytest.mark.parametrize(
    "command",
    [
        "cat src/flask/app.py",
        "cat /usr/lib/python3/dist-packages/werkzeug/routing.py",
        "pip install -e .",
        "pip install pytest ./flask",
        "pip show flask",
        "git log --oneline -5 -- src/flask",
        "git log -S all",
        "git diff HEAD~3",
        "git branch",
        'git grep -n "def fetch"',
        "git log -S clone",
        "git log -S origin/main -- src",
        "git log --grep 'git fetch' -3",
        "git log --oneline -- upstream/proxy.py",
        "git tag -a v1 -m x",
        "git diff -a",
        "git grep -r 'clone --all'",
        "git grep -- --all",
        "git add --all && git commit -qm fetch",
        "grep -rn 'git clone' docs",
        "cat > tests/test_get.py <<'EOF'\nimport requests\nrequests.get('https://github.com/pallets/flask')\nEOF\npytest",
        "python - <<EOF\nimport requests\nrequests.get('http://testserver/x')\nEOF",
        "curl -s http://localhost:8000/health",
        "curl -s http://127.0.0.1:8000/ http://[::1]:8000/ http://[::1",
        "python -m pytest tests -k fetch",
        "echo 'see https://github.com/pallets/flask'",
        "npm test",
        "grep -rn flask src",
    ],
)
def test_ordinary_step_is_not_reported(command):
    assert find_contamination([step(command)], NAMES) == ()


@pytest.mark.parametrize(
    "part", ["git log x ", "pip ", "pip install a[", "git -c -c ", "x" * 50, "http://", "<<A cat >\n"]
)
def test_long_commands_are_checked_quickly(part):
    """Quadratic time would exceed the time limit of the suite."""
    assert find_contamination([step(part * (2_000_000 // len(part)))], NAMES) == ()


def test_steps_of_other_tools_are_checked():
    path = "/usr/lib/python3/dist-packages/flask/app.py"
    assert "looked for" in find_contamination([step(path, "no", ok=False, tool="view")], NAMES)[0]
    assert find_contamination([step("src/flask/app.py", tool="view")], NAMES) == ()


def test_many_steps_are_counted():
    steps = [step(f"curl https://example.org/{n}") for n in range(9)]
    report = find_contamination(steps, NAMES)
    assert len(report) == 6
    assert report[-1] == "4 more such steps."


@pytest.mark.slow
def test_installed_copy_of_package_is_reported(kind, make_repo, open_ws):
    """pytest is installed in every image of these tests; here it is also the package of the repository."""
    files = {
        "src/pytest/__init__.py": "",
        "pyproject.toml": '[project]\nname = "pytest"\nversion = "0.1"\n',
        "mine/__init__.py": "",
        "tests/__init__.py": "",
    }
    ws = open_ws(kind, make_repo(files))
    trees, tree = ws.options.trees, ws.options.base.tree
    assert package_names(trees, tree) == ("mine", "pytest")
    (report,) = find_installed_copies(ws, trees, tree, Path("/nowhere"))
    assert "pytest" in report
    assert "later than the repository's" in report
    assert ws.run("pwd").text.strip() == ws.root


@pytest.mark.slow
def test_editable_install_of_the_checkout_is_no_copy(make_repo, open_ws, monkeypatch):
    """A legacy editable install adds the checkout to the import path."""
    folder = make_repo({"src/shelf/__init__.py": "", "pyproject.toml": '[project]\nname = "shelf"\n'})
    ws = open_ws("local", folder)
    trees, tree = ws.options.trees, ws.options.base.tree
    monkeypatch.setattr(
        contamination, "_PROBE", f"import sys; sys.path.append({str(folder / 'src')!r})\n{contamination._PROBE}"
    )
    assert find_installed_copies(ws, trees, tree, folder) == ()
    assert "shelf" in find_installed_copies(ws, trees, tree, Path("/nowhere"))[0]


def test_invalid_or_foreign_manifest_is_ignored(make_repo, open_ws):
    ws = open_ws("local", make_repo({"pyproject.toml": "project = [", "a.js": ""}))
    assert package_names(ws.options.trees, ws.options.base.tree) == ()
    assert find_installed_copies(ws, ws.options.trees, ws.options.base.tree, Path("/nowhere")) == ()


def test_too_deeply_nested_manifest_is_ignored(make_repo, open_ws):
    ws = open_ws("local", make_repo({"pyproject.toml": "a = " + "[" * 5000}))
    assert package_names(ws.options.trees, ws.options.base.tree) == ()
