"""Probe of a repository: prints one JSON line with what is needed to run its tests.

Runs under the target's Python (3.6 and later) with only the standard library, as `project_probe.py ROOT PATHS TOP
PROJECT ...`, where PATHS is the PYTHONPATH of the tests, and each PROJECT is a folder below TOP. The probe itself runs
without PYTHONPATH, since the user has not yet allowed the repository's code to run. The JSON keys are "python" (the
interpreter's name), "pytest" (the name of an interpreter that has pytest, or ""), "tests" (the number of test files),
"of_pytest" (the number of test files that only pytest can run),
"start" (the arguments with which `unittest discover` finds most of them, [] if it finds none), "tested" (the projects
that have test files, and "." if other folders of TOP have some) and "version" (the interpreter's version).
"""

import importlib.machinery
import importlib.util
import itertools
import json
import os
import re
import subprocess
import sys

SKIPPED = {"node_modules", "venv", "env", "build", "dist", "site-packages", "__pycache__"}
LIMIT = 5000
PYTHON_NAME = "python" if os.path.basename(sys.executable or "") == "python" else "python3"


def is_test(name):
    return name.endswith(".py") and (name.startswith("test") or name.endswith("_test.py"))


def test_files(root, *without):
    """Yield the test files below `root`, except those in the folders `without`."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith("."))
        folders[:] = [name for name in folders if not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))]
        folders[:] = [name for name in folders if os.path.join(folder, name) not in without]
        for name in sorted(names):
            if is_test(name):
                yield os.path.join(folder, name)


def tested_folders(top, projects):
    """Return the projects that have test files, and "." if other folders have some."""
    places = {project: os.path.join(top, project) for project in projects}
    walks = {project: test_files(place) for project, place in places.items()}
    walks["."] = test_files(top, *places.values())
    return [folder for folder, files in walks.items() if next(files, None)]


def has_test_cases(path):
    with open(path, "rb") as opened:
        text = opened.read(1000000)
    return b"unittest" in text or b"TestCase" in text


def needs_pytest(path):
    """Return whether a test file imports pytest, or has test functions and no test cases."""
    with open(path, "rb") as opened:
        text = opened.read(1000000)
    if re.search(rb"^(?:import|from) pytest\b", text, re.MULTILINE):
        return True
    functions = re.search(rb"^(?:async )?def test", text, re.MULTILINE)
    return bool(functions) and b"unittest" not in text and b"TestCase" not in text


def top_of(folder, root):
    """Return the nearest enclosing folder that is not a package; it must be on sys.path for the tests."""
    while folder != root and os.path.exists(os.path.join(folder, "__init__.py")):
        folder = os.path.dirname(folder)
    return folder


def start(paths, root):
    """Return the arguments with which `unittest discover` finds most of the files."""
    groups = {}
    for path in paths:
        pattern = "test*.py" if os.path.basename(path).startswith("test") else "*_test.py"
        groups.setdefault((top_of(os.path.dirname(path), root), pattern), []).append(path)
    if not groups:
        return []
    (top, pattern), members = max(groups.items(), key=lambda group: len(group[1]))
    common = os.path.commonpath([os.path.dirname(path) for path in members])
    options = ["-s", os.path.relpath(common, root)]
    options += [] if pattern == "test*.py" else ["-p", pattern]
    return options + ([] if common == top else ["-t", os.path.relpath(top, root)])


def this_python_has_pytest(folders):
    """Return whether this Python or one of these folders has pytest, without running any of their files."""
    own = importlib.machinery.PathFinder.find_spec("pytest", folders)
    return own is not None or importlib.util.find_spec("pytest") is not None


def has_pytest(python, folders):
    if python == os.path.basename(sys.executable or ""):
        try:
            return this_python_has_pytest(folders)
        except Exception:  # noqa: BLE001 - a finder of the environment may raise anything
            return False
    try:
        return subprocess.call([python, __file__, "--has-pytest", *folders], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def main():
    if sys.argv[1] == "--has-pytest":
        sys.exit(not this_python_has_pytest(sys.argv[2:]))
    root = os.path.realpath(sys.argv[1])
    folders = [root] + [folder for folder in sys.argv[2].split(os.pathsep) if folder]
    paths = list(itertools.islice(test_files(root), LIMIT))
    with_cases = [path for path in paths if has_test_cases(path)]
    pytest = next((python for python in ("python3", "python") if has_pytest(python, folders)), "")
    found = {"python": PYTHON_NAME, "pytest": pytest, "tests": len(paths), "start": start(with_cases, root)}
    found["of_pytest"] = 0 if pytest else sum(map(needs_pytest, paths))
    found["tested"] = tested_folders(sys.argv[3], sys.argv[4:])
    found["version"] = "%d.%d.%d" % sys.version_info[:3]
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
