"""Test commands detected from a repository's manifests."""

import pytest

from aci.testing.suite_command import detect_command, django_command, first_command, project_command, project_of
from trajectories.errors import UsageError

SCRIPT = '{"scripts": {"test": "jest"}}'
NO_TESTS = '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'

FAILSAFE = "<plugin><artifactId>maven-failsafe-plugin</artifactId></plugin>"


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"package.json": SCRIPT}, "npm test"),
        ({"package.json": SCRIPT, "yarn.lock": ""}, "yarn test"),
        ({"package.json": SCRIPT, "pnpm-lock.yaml": ""}, "pnpm test"),
        ({"package.json": NO_TESTS}, ""),
        ({"package.json": NO_TESTS, "Makefile": "all:\n\ntest: all\n\tx\n"}, "make test"),
        ({"package.json": "[" * 9999}, ""),
        ({"package.json": '{"scripts": []}'}, ""),
        ({"go.mod": "module x"}, "go test ./..."),
        ({"Cargo.toml": ""}, "cargo test"),
        ({"pom.xml": ""}, "mvn -B -o test"),
        ({"pom.xml": "", "mvnw": ""}, "./mvnw -B -o test"),
        ({"pom.xml": "<modules/>", "core/pom.xml": FAILSAFE}, "mvn -B -o verify"),
        ({"build.gradle.kts": "", "gradlew": ""}, "./gradlew test"),
        ({"settings.gradle": "", "lib/build.gradle.kts": '  kotlin("multiplatform")\n'}, "gradle test allTests"),
        ({"build.gradle.kts": "alias(libs.plugins.kotlin.multiplatform) apply false\n"}, "gradle test"),
        ({"phpunit.xml.dist": ""}, "vendor/bin/phpunit"),
        (
            {"phpunit.xml.dist": "", "composer.json": '{"require-dev": {"symfony/phpunit-bridge": "^7"}}'},
            "vendor/bin/simple-phpunit",
        ),
        ({"Rakefile": 'require "rake/testtask"\nRake::TestTask.new(:test)\n'}, "bundle exec rake test"),
        ({"Rakefile": "task default: %w[test rubocop]\n"}, "bundle exec rake test"),
        ({"Rakefile": "task default: :test\n", ".rspec": ""}, "bundle exec rspec"),
        ({"Rakefile": "task :console do\nend\n"}, ""),
        ({"Makefile": "test := 3\ncheck:\n\tx\n"}, "make check"),
        ({"README": ""}, ""),
    ],
)
def test_command_is_detected_from_manifest(files, command):
    assert project_command("", files, lambda path: files.get(path, "")) == command
    inside = {f"a b/{name}": text for name, text in files.items()}
    assert project_command("a b", inside, lambda path: inside.get(path, "")) == (command and f"cd 'a b' && {command}")
    assert first_command(inside, lambda path: inside.get(path, "")) == (command and f"cd 'a b' && {command}")


@pytest.mark.parametrize(
    ("nodes", "folder"),
    [
        ((), ""),
        (("web/src/a.test.ts",), "web"),
        (("web/src/a.test.ts::x", "web/b.js"), "web"),
        (("web/src/a.test.ts", "py/tests/test_a.py"), ""),
        (("py/tests/test_a.py::test_a",), "py"),
        (("py/examples/small/test_a.py",), "py"),
        (("svc/pkg/a_test.go",), "svc"),
        (("web/docs/a.js",), "web"),
        (("elsewhere/test_a.py",), ""),
        (("pkg.tests.test_a.T.test_a",), ""),
    ],
)
def test_project_is_found_for_nodes(nodes, folder):
    files = {
        "web/package.json": SCRIPT,
        "web/docs/package.json": NO_TESTS,
        "py/pyproject.toml": "",
        "py/examples/small/setup.py": "",
        "svc/go.mod": "module svc",
    }
    assert project_of(nodes, files, lambda path: files.get(path, "")) == folder


DJANGO = "python3 tests/runtests.py"
A = "python3 -m a.test"
TOX_OF_PACKAGE = """\
[testenv]
changedir = {toxworkdir}
commands =
    full: python -m a.test --more
    python -m a.test
"""
TOX_OF_DJANGO = """\
[tox]
envlist = py3

[testenv]
passenv = DJANGO_SETTINGS_MODULE PYTHONPATH HOME DISPLAY
deps =
    -rtests/requirements/py3.txt
changedir = tests
commands =
    {envpython} runtests.py {posargs}
"""
TOX_OF_PYTEST_DJANGO = """\
[testenv]
setenv =
    DJANGO_SETTINGS_MODULE = tests.settings
commands = pytest
"""


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"manage.py": ""}, "python3 manage.py test"),
        ({"tests/runtests.py": "", "setup.cfg": "[flake8]\n"}, "python3 tests/runtests.py"),
        ({"manage.py": "", "setup.cfg": "[tool:pytest]\nDJANGO_SETTINGS_MODULE = x\n"}, ""),
        ({"manage.py": "", "pytest.ini": "[pytest]\n"}, ""),
        ({"runtests.py": "", "tox.ini": "[testenv]\ncommands = python -W error runtests.py {posargs:tests}\n"}, None),
        ({"tox.ini": "[testenv]\ncommands =\n  flake8\n  coverage run -p -m unittest -v\n"}, "python3 -m unittest -v"),
        ({"tox.ini": "[testenv]\ncommands = django-admin test --settings=t.s {posargs}\n"}, None),
        ({"tox.ini": "[testenv]\ncommands = {envbindir}/python -m unittest\n"}, ""),
        ({"tox.ini": "[testenv]\ncommands = pytest\n"}, ""),
        ({"tests/runtests.py": "", "tox.ini": TOX_OF_DJANGO}, "python3 tests/runtests.py"),
        ({"tests/runtests.py": "", "tox.ini": TOX_OF_DJANGO.replace("passenv", "setenv")}, DJANGO),
        ({"manage.py": "", "tox.ini": TOX_OF_PYTEST_DJANGO}, ""),
        (
            {"tox.ini": TOX_OF_PYTEST_DJANGO.replace("pytest", "python -b -m coverage run -m django test {posargs}")},
            "DJANGO_SETTINGS_MODULE=tests.settings python3 -b -m django test",
        ),
        (
            {"tox.ini": "[testenv]\ncommands =\n  python -bb -m tornado.test {posargs:}\n"},
            "python3 -bb -m tornado.test",
        ),
        ({"tox.ini": "[testenv]\ncommands = python -m pytest.test\n"}, ""),
        ({"tox.ini": TOX_OF_PACKAGE}, A),
        (
            {"tox.ini": "[testenv]\ncommands = coverage run --source=a -m unittest discover {toxinidir}/tests\n"},
            "python3 -m unittest discover tests",
        ),
        ({"tox.ini": "[testenv]\ncommands =\n  es7: python -m a.test --es\n  noes: python -m a.test {posargs}\n"}, A),
        ({"tests/runtests.py": "", "tox.ini": TOX_OF_DJANGO.replace("runtests", "gone/runtests")}, DJANGO),
        ({"tests/runtests.py": "", "tox.ini": TOX_OF_DJANGO.replace(" tests\n", " {toxinidir}/tests\n")}, DJANGO),
        ({"tests/runtests.py": "", "tox.ini": "[testenv\n"}, DJANGO),
        (
            {"manage.py": "", "tox.ini": "[testenv]\ncommands = python example/manage.py test\n"},
            "python3 manage.py test",
        ),
    ],
)
def test_command_of_runner_based_on_unittest_is_detected(files, command):
    expected = (
        {
            "runtests.py": "python3 -W error runtests.py",
            "tox.ini": "django-admin test --settings=t.s",
        }[next(iter(files))]
        if command is None
        else command
    )
    assert django_command("python3", "", files, lambda path: files.get(path, "")) == expected


@pytest.mark.slow
def test_command_in_workspace_depends_on_projects_and_nodes(make_repo, open_ws):
    files = {
        "web/package.json": SCRIPT,
        "web/node_modules/x/package.json": SCRIPT,
        "py/pyproject.toml": "",
        "py/tests/test_a.py": "def test_a(): pass\n",
        "README": "",
    }
    workspace = open_ws("local", make_repo(files))
    assert detect_command(workspace) == "python3 -m pytest"
    assert detect_command(workspace, nodes=["web/a.test.js"]) == "cd web && npm test"
    assert detect_command(workspace, nodes=["py/tests/test_a.py"]) == "cd py && python3 -m pytest"
    workspace.run("rm -r py")
    assert detect_command(workspace) == "cd web && npm test"
    workspace.run("rm -r web")
    with pytest.raises(UsageError, match="No tests were found"):
        detect_command(workspace)
    workspace.run("""mkdir test; echo "import test from 'node:test'" > test/menu.test.mjs""")
    assert detect_command(workspace) == "node --test"


@pytest.mark.slow
def test_folders_that_tox_names_to_pytest_are_run(make_repo, open_ws):
    types = "[testenv:types]\ncommands = pytest {posargs:types}\n"
    tox = f"{types}[testenv]\ncommands = {{envpython}} -m pytest -rf {{posargs:%s}}\n"
    files = {"setup.py": "", "tox.ini": tox % "testing", "testing/test_a.py": "def test_a(): pass\n", "types/x": ""}
    workspace = open_ws("local", make_repo(files))
    assert detect_command(workspace) == "python3 -m pytest testing"
    workspace.write(f"{workspace.root}/tox.ini", (tox % "missing").encode())
    assert detect_command(workspace) == "python3 -m pytest"
    workspace.write(f"{workspace.root}/tox.ini", f"[pytest]\ntestpaths = testing\n{tox % 'testing'}".encode())
    assert detect_command(workspace) == "python3 -m pytest"


@pytest.mark.slow
def test_rust_program_in_a_python_package_is_tested_by_cargo(make_repo, open_ws):
    files = {"Cargo.toml": "[package]\n", "pyproject.toml": '[tool.maturin]\nbindings = "bin"\n'}
    workspace = open_ws("local", make_repo(files | {"python/test_a.py": "def test_a(): pass\n"}))
    assert detect_command(workspace) == "cargo test"
    workspace.write(f"{workspace.root}/pyproject.toml", b'[tool.maturin]\nbindings = "pyo3"\n')
    assert detect_command(workspace) == "python3 -m pytest"
