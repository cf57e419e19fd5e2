"""Tests of repositories with several Python projects: detection, and runs in which each project uses its settings."""

import pytest

from aci.testing.command_files import command_for_nodes
from aci.testing.project_commands import nodes_by_folder
from aci.testing.suite_command import detect_command, python_projects
from aci.testing.suite_run import run_tests

SETTINGS = "[tool.pytest.ini_options]\n"
PROJECT = "[project]\nname = 'x'\nversion = '1'\n"
BASE = {
    "packages/a/pyproject.toml": SETTINGS,
    "packages/a/a/__init__.py": "def total(items):\n    return sum(items)\n",
    "packages/a/tests/test_x.py": "from a import total\ndef test_it(): assert total([1]) == 1\n",
    "packages/b/pyproject.toml": f"{SETTINGS}pythonpath = ['lib']\naddopts = '-m \"not slow\"'\nmarkers = ['slow']\n",
    "packages/b/lib/b.py": "import os\ndef left(n):\n    return max(n, 0)\n",
    "packages/b/tests/test_x.py": (
        "import pytest\nfrom b import left\n"
        "def test_it(): assert left(-1) == 0\n"
        "@pytest.mark.slow\ndef test_slow(): assert 0\n"
        "@pytest.mark.parametrize('path', ['../a', 'c::d'])\ndef test_path(path): assert path\n"
    ),
}
COMMAND = (
    "code=0; worst() { code=$(($1 != 5 && $1 > code ? $1 : code)); }; "
    "(cd packages/a && python3 -m pytest) || worst $?; (cd packages/b && python3 -m pytest) || worst $?; (exit $code)"
)
OF_A, OF_B = "packages/a/tests/test_x.py::test_it", "packages/b/tests/test_x.py::test_it"
PATHS_OF_B = tuple(f"packages/b/tests/test_x.py::test_path[{path}]" for path in ("../a", "c::d"))


@pytest.fixture
def open_local(make_repo, open_ws):
    """`open_local(files)`: a workspace on this machine that holds the files."""
    return lambda files: open_ws("local", make_repo(files))


def find_projects(files):
    configured = [path for path, text in files.items() if "pytest" in text]
    return python_projects(files, configured, lambda path: files.get(path, ""))


@pytest.mark.parametrize(
    ("files", "projects"),
    [
        ({"a/pyproject.toml": SETTINGS, "b/pyproject.toml": SETTINGS}, ["a", "b"]),
        ({"a/pyproject.toml": SETTINGS, "b/setup.py": ""}, ["a", "b"]),
        ({"a/pyproject.toml": "", "b/setup.cfg": ""}, ["a", "b"]),
        ({"pyproject.toml": PROJECT, "a/pyproject.toml": SETTINGS, "b/tox.ini": "[pytest]"}, ["a", "b"]),
        ({"py/pyproject.toml": "", "py/a/pyproject.toml": SETTINGS, "py/b/pyproject.toml": SETTINGS}, ["py/a", "py/b"]),
        ({"a/setup.py": "", "a/examples/setup.py": "", "b/setup.py": ""}, ["a", "b"]),
        ({"a/pyproject.toml": SETTINGS, "a/demo/pytest.ini": "[pytest]", "b/setup.py": ""}, ["a", "b"]),
    ],
)
def test_projects_are_topmost_folders_with_manifests(files, projects):
    assert find_projects(files) == projects


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": SETTINGS, "a/pyproject.toml": SETTINGS, "b/pyproject.toml": SETTINGS},
        {"pyproject.toml": PROJECT, "examples/a/setup.py": "", "examples/b/setup.py": ""},
        {"pyproject.toml": PROJECT, "examples/pytest.ini": "[pytest]"},
        {"a/pyproject.toml": SETTINGS},
        {"a/requirements.txt": "", "b/requirements.txt": ""},
        {"a/pyproject.toml": SETTINGS, "b/pyproject.toml": SETTINGS, "conftest.py": "import x\n"},
        {"p/a/pyproject.toml": SETTINGS, "p/b/pyproject.toml": SETTINGS, "p/conftest.py": "import x\n"},
        {"a/pyproject.toml": SETTINGS, "b/manage.py": "", "b/pyproject.toml": ""},
        {"a b/pyproject.toml": SETTINGS, "$(c)/pyproject.toml": SETTINGS, "-d/setup.py": "", "e/setup.py": ""},
    ],
)
def test_other_repositories_are_run_as_one_project(files):
    assert find_projects(files) == []


@pytest.mark.slow
def test_detected_command_runs_each_project_in_its_folder(open_local):
    workspace = open_local({**BASE, "packages/docs/setup.py": ""})
    workspace.run("mkfifo packages/docs/pyproject.toml")
    assert detect_command(workspace) == COMMAND
    assert detect_command(workspace, nodes=[OF_A]) == COMMAND
    workspace.run("rm -r packages/b/tests")
    assert detect_command(workspace) == "python3 -m pytest"


@pytest.mark.slow
def test_tests_outside_of_projects_run_at_root(open_local):
    outside = {"tests/test_x.py": "import os\ndef test_it(): assert os.path.isdir('packages')\n"}
    workspace = open_local({**BASE, **outside})
    report = run_tests(workspace)
    assert "(cd . && python3 -m pytest --ignore=packages/a --ignore=packages/b) || worst $?" in report.command
    assert (report.failed, report.code, report.notes) == ((), 0, ())
    assert report.passed == (OF_A, OF_B, *PATHS_OF_B, "tests/test_x.py::test_it")
    for node, passed in (("tests", report.passed[-1:]), (OF_A, (OF_A,))):
        assert run_tests(workspace, nodes=[node]).passed == passed


@pytest.mark.slow
def test_each_project_uses_its_settings_and_ids_are_relative_to_root(open_local):
    report = run_tests(open_local(BASE))
    assert report.passed == (OF_A, OF_B, *PATHS_OF_B)
    assert report.find(OF_B).path == "packages/b/tests/test_x.py"
    assert (report.failed, report.complete, report.notes, report.ok) == ((), True, (), True)


@pytest.mark.slow
def test_only_projects_with_requested_tests_run(open_local):
    workspace = open_local(BASE)
    for nodes, passed in (
        ([OF_A], [OF_A]),
        (["packages/b/tests/test_x.py"], [OF_B, *PATHS_OF_B]),
        ([*PATHS_OF_B, OF_A], [OF_A, *PATHS_OF_B]),
        (["packages/b"], [OF_B, *PATHS_OF_B]),
        (["packages"], [OF_A, OF_B, *PATHS_OF_B]),
        (["packages.a.tests.test_x.test_it"], [OF_A]),
        (["packages/b/tests/gone.py"], []),
        (["packages/c/tests/test_x.py"], []),
    ):
        report = run_tests(workspace, nodes=nodes)
        assert report.command == COMMAND
        assert report.granularity == "test"
        assert list(report.passed) == passed
        assert (report.failed, report.complete, report.notes) == ((), True, ())
        assert (b"packages/a\nconfigfile" in report.output) == (OF_A in passed or nodes[0].startswith("packages/c"))


@pytest.mark.slow
@pytest.mark.parametrize("project", ["a", "b"])
@pytest.mark.parametrize(("ending", "code"), [("assert 0", 1), ("import os; os._exit(9)", 9)])
def test_exit_code_is_that_of_worst_project(open_local, project, ending, code):
    path = f"packages/{project}/tests/test_z.py"
    report = run_tests(open_local({**BASE, path: f"def test_z():\n    {ending}\n"}))
    assert (report.code, report.failed, report.complete) == (code, (f"{path}::test_z",), code == 1)


@pytest.mark.slow
def test_project_without_collected_tests_does_not_fail_others(open_local):
    report = run_tests(open_local({**BASE, "packages/a/tests/test_x.py": "", "packages/c/setup.py": ""}))
    assert (report.code, report.passed, report.ok) == (0, (OF_B, *PATHS_OF_B), True)


@pytest.mark.slow
def test_rootdir_of_project_without_settings_may_be_above(open_local):
    """pytest takes the folder of a setup.py above for its root."""
    files = {"a/pyproject.toml": SETTINGS, "b/tox.ini": "", "a/test_x.py": "", "setup.py": ""}
    report = run_tests(open_local({**files, "b/test_x.py": "def test_it(): pass\n"}))
    assert report.passed == ("b/test_x.py::test_it",)


def test_nodes_are_grouped_by_project():
    command = COMMAND.replace("(exit", "(cd . && python3 -m pytest --ignore=packages/a) || worst $?; (exit")
    nodes = [OF_A, "packages/a", "packages", "packages/ab/x.py", "packages.b.T", "test_y.py", "a.py"]
    assert nodes_by_folder(command, nodes) == {
        "packages/a": [OF_A, "packages/a", "packages/a"],
        "packages/b": ["packages/b", "packages.b.T"],
        ".": ["packages", "packages/ab/x.py", "test_y.py", "a.py"],
    }
    assert nodes_by_folder(COMMAND, ["test_y.py"]) == {"packages/a": ["test_y.py"], "packages/b": ["test_y.py"]}
    assert nodes_by_folder("(cd packages/a && python3 -m pytest)", [OF_A]) == {}


@pytest.mark.slow
def test_command_for_nodes_of_projects_can_be_repeated_in_shell(open_local):
    shown = command_for_nodes(COMMAND, [PATHS_OF_B[0], OF_A])
    assert shown == (
        "(cd packages/a && python3 -m pytest tests/test_x.py::test_it); "
        "(cd packages/b && python3 -m pytest 'tests/test_x.py::test_path[../a]')"
    )
    many = command_for_nodes(COMMAND, [f"packages/a/test_{n}.py" for n in range(21)])
    assert many.endswith("test_19.py)  # and 1 more")
    result = open_local(BASE).run(shown)
    assert result.text.count("1 passed") == 2
