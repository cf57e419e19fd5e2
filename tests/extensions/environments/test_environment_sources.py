"""Planning of environments from files alone: without Docker, and without running anything."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest

from aci.environments.environment_plan import VENV, EnvironmentOptions, Plan
from extensions.environments.environment_sources import plan_environment

IMAGES = {"python": "py", "node": "js", "go": "gopher", "rust": "crab"}
PYTEST = "import pytest\n\n\ndef test_it():\n    pass\n"
PYPROJECT = '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "x"\n'


def make_plan(files: dict[str, str], **options: object) -> Plan:
    return plan_environment(
        {path: text.encode() for path, text in files.items()}, EnvironmentOptions(**{"images": IMAGES, **options})
    )  # type: ignore[arg-type]


def commands(environment_plan: Plan) -> list[str]:
    return [command.text for command in environment_plan.setup]


def test_named_image_is_used_unchanged() -> None:
    result = make_plan({"pyproject.toml": PYPROJECT}, image="mine:1", named={"image": "--image"})
    assert (result.image, result.setup, result.built) == ("mine:1", (), False)
    assert "--image" in result.reasons[0]


def test_named_set_up_replaces_derived_commands() -> None:
    found = make_plan({"pyproject.toml": PYPROJECT, "scripts/prepare.sh": "x"}, setup="sh scripts/prepare.sh")
    assert commands(found) == [f"python3 -m venv {VENV}", "sh scripts/prepare.sh"]
    assert "scripts/prepare.sh" in found.inputs
    assert commands(make_plan({}, image="mine", setup="make deps")) == ["make deps"]


def test_package_is_installed_with_extra_for_tests() -> None:
    extras = PYPROJECT + '[project.optional-dependencies]\ndocs = ["sphinx"]\ntests = ["nose"]\n'
    result = make_plan({"pyproject.toml": extras, "tests/test_x.py": PYTEST})
    assert commands(result) == [f"python3 -m venv {VENV}", "pip install -e '.[tests]'", "pip install pytest"]
    assert result.paths == (f"{VENV}/bin",)
    assert result.language == "python"
    assert result.image == "py"


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("pyproject.toml", '[dependency-groups]\ntest = ["a", {include-group = "base"}]\nbase = ["b>1"]\n', "a 'b>1'"),
        ("pyproject.toml", '[tool.poetry.group.dev.dependencies]\npytest = "^7.2"\nx = "*"\n', "'pytest>=7.2,<8' x"),
        (
            "pyproject.toml",
            '[tool.poetry.dev-dependencies]\nresponses = {version="~1.2.3", extras=["z"]}\n',
            "'responses[z]>=1.2.3,<1.3'",
        ),
        ("pyproject.toml", '[tool.pdm.dev-dependencies]\ntest = ["a"]\n', "a"),
        ("pyproject.toml", '[tool.uv]\ndev-dependencies = ["a"]\n', "a"),
        ("pyproject.toml", '[tool.hatch.envs.default]\ndependencies = ["a"]\n', "a"),
        ("setup.cfg", "[options]\ntests_require =\n    a\n    b<2\n", "a 'b<2'"),
        ("setup.py", "deps = ['a']\nsetup(name='x', tests_require=deps)\n", "a"),
        (
            "tox.ini",
            "[base]\ndeps = c\n[testenv]\ndeps =\n    a\n    py27: old\n    {[base]deps}\n    -rreqs.txt\n",
            "a c -r reqs.txt",
        ),
    ],
    ids=["groups", "poetry", "old poetry", "pdm", "uv", "hatch", "setup.cfg", "setup.py", "tox"],
)
def test_test_requirements_are_read_from_each_manifest(name: str, text: str, wanted: str) -> None:
    result = make_plan({name: text, "x.py": ""})
    assert f"pip install {wanted}" in commands(result)
    assert name in result.inputs


@pytest.mark.parametrize(
    ("requirement", "shown"),
    [
        ("mock; python_version < '3.8'", "\"mock; python_version < '3.8'\""),
        ("mock!=1; python_version < '3.8'", "\"mock!=1; python_version < '3.8'\""),
        ('mock; python_version < "3.8"', "'mock; python_version < \"3.8\"'"),
        ("mock'$(touch x)'", None),
        ("mock'`touch x`'", None),
        ("mock'\\", None),
        ("mock'\"", None),
    ],
)
def test_requirements_are_quoted_readably_and_safely(requirement: str, shown: str | None) -> None:
    text = f"[dependency-groups]\ntest = [{json.dumps(requirement)}]\n"
    command = next(each for each in commands(make_plan({"pyproject.toml": text, "x.py": ""})) if "mock" in each)
    assert command == f"pip install {shown or shlex.quote(requirement)}"
    printed = subprocess.run(["sh", "-c", command.replace("pip install", "printf %s")], capture_output=True, text=True)
    assert printed.stdout == requirement


def test_setup_py_is_read_without_running_it() -> None:
    source = "import os\nos.system('touch /tmp/ran')\nsetup(extras_require={'test': open('x').read(), 'dev': ['a']})\n"
    assert "pip install -e '.[test]'" in commands(make_plan({"setup.py": source}))


def test_requirements_files_for_tests_are_installed() -> None:
    files = {
        "requirements.txt": "a",
        "requirements/test.txt": "b",
        "requirements-dev.txt": "c",
        "docs/requirements.txt": "d",
    }
    result = make_plan({**files, "x.py": ""})
    installed = [line for line in commands(result) if " -r " in line]
    assert installed == [f"pip install -r {name}" for name in ("requirements.txt", "requirements/test.txt")]


def test_without_pytest_nothing_is_installed_for_unittest() -> None:
    result = make_plan({"shop.py": "", "test_shop.py": "import unittest\n"})
    assert (result.setup, result.built, result.image) == ((), False, "py")


def test_version_from_git_is_set_by_variable() -> None:
    result = make_plan({"pyproject.toml": '[build-system]\nrequires = ["setuptools_scm"]\n'}, version="4.2")
    assert result.variables["SETUPTOOLS_SCM_PRETEND_VERSION"] == "4.2"


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ('requires-python = ">=3.9"', "python:3.12"),
        ('requires-python = ">=3.7,<3.10"', "python:3.9"),
        ('requires-python = ">=3.13"', "python:3.14"),
        (
            'classifiers = ["Programming Language :: Python :: 3.8", "Programming Language :: Python :: 3.10"]',
            "python:3.10",
        ),
        ('requires-python = "~=nonsense"', "python:3.12"),
    ],
)
def test_python_version_selects_image(version: str, image: str) -> None:
    assert make_plan({"pyproject.toml": f"{PYPROJECT}{version}\n"}, images={}).image == image


def test_user_can_set_image_for_each_python_version() -> None:
    images = {"python": "mine:1", "python3.9": "mine-39", "python3.11": "mine-311"}
    assert make_plan({"pyproject.toml": f'{PYPROJECT}requires-python = "<3.10"'}, images=images).image == "mine:1"
    assert make_plan({".python-version": "3.11.4\n", "x.py": ""}, images=images).image == "mine-311"
    del images["python"]
    assert make_plan({"pyproject.toml": f'{PYPROJECT}requires-python = "<3.10"'}, images=images).image == "mine-39"


@pytest.mark.parametrize(
    ("files", "image", "first"),
    [
        ({"package.json": "{}", "package-lock.json": "{}"}, "js", "npm ci"),
        ({"package.json": "{}", "yarn.lock": ""}, "js", "npm install --global"),
        ({"package.json": "{}", "pnpm-lock.yaml": ""}, "js", "npm install --global"),
        ({"package.json": "no json"}, "js", "npm install"),
        ({"go.mod": "module x\n\ngo 1.21\n"}, "gopher", "GOFLAGS=-mod=mod go mod download"),
        ({"Cargo.toml": "[package]\n"}, "crab", "cargo fetch"),
    ],
)
def test_other_language_has_its_image_and_first_command(files: dict[str, str], image: str, first: str) -> None:
    result = make_plan({**files, "tool.py": "import sys\n"})
    assert result.image == image
    assert commands(result)[0].startswith(first)
    assert set(files) <= set(result.inputs)


@pytest.mark.parametrize(
    ("lock", "text", "named", "package", "install"),
    [
        ("yarn.lock", "# yarn lockfile v1\n", "", "yarn@1", "yarn install --frozen-lockfile"),
        ("yarn.lock", "__metadata:\n  version: 8\n", "", "@yarnpkg/cli-dist@4", "yarn install --immutable"),
        (
            "yarn.lock",
            "# generated\n\n__metadata:\n  version: 6\n",
            "yarn@3.6.1+sha224.0a",
            "@yarnpkg/cli-dist@3.6.1",
            "yarn install --immutable",
        ),
        ("yarn.lock", "# yarn lockfile v1\n", "pnpm@9.1.0", "yarn@1", "yarn install --frozen-lockfile"),
        ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n", "", "pnpm@10", "pnpm install --frozen-lockfile"),
        ("pnpm-lock.yaml", "lockfileVersion: 5.4\n", "", "pnpm@7", "pnpm install --frozen-lockfile"),
        (
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\n",
            "pnpm@10.28.0",
            "pnpm@10.28.0",
            "pnpm install --frozen-lockfile",
        ),
        ("pnpm-lock.yaml", "", "pnpm@latest; rm -rf /", "pnpm", "pnpm install --frozen-lockfile"),
        ("bun.lock", "{}", "bun@1.2.20", "bun", "bun install --frozen-lockfile"),
    ],
)
def test_package_manager_is_that_of_the_lock_file(lock: str, text: str, named: str, package: str, install: str) -> None:
    result = make_plan({"package.json": f'{{"packageManager": "{named}"}}', lock: text})
    assert commands(result) == [f"npm install --global --force --no-audit --no-fund {package} && {install}"]


@pytest.mark.parametrize(("manager", "release"), [("pnpm@11.19.0", "22"), ("pnpm@10.1.0", "20")])
def test_newest_pnpm_has_the_node_that_it_needs(manager: str, release: str) -> None:
    package = f'{{"packageManager": "{manager}", "engines": {{"node": ">=20"}}}}'
    result = make_plan({"package.json": package, "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"})
    assert f"@{release} npm@10" in commands(result)[0]


def test_second_lock_file_is_named() -> None:
    both = {"yarn.lock": "# yarn lockfile v1\n", "package-lock.json": "{}"}
    chosen = {
        name: make_plan({"package.json": f'{{"packageManager": "{name}@1.2.3"}}', **both}) for name in ("yarn", "npm")
    }
    assert chosen["yarn"].setup[0].why == "yarn.lock says which packages, not package-lock.json"
    assert chosen["npm"].setup[0].why == "package-lock.json says which packages, not yarn.lock"


@pytest.mark.parametrize(
    ("version", "image"),
    [(">=18", "node:22"), ("^16.3.0", "node:16"), ("14.x || 16.x", "node:16"), (">=14 <19", "node:18")],
)
def test_node_version_selects_image(version: str, image: str) -> None:
    assert make_plan({"package.json": f'{{"engines": {{"node": "{version}"}}}}'}, images={}).image == image


@pytest.mark.parametrize(
    ("vite", "image", "why"),
    [
        ("^20.19.0 || >=22.12.0", "node:20", "vite needs Node ^20.19.0 || >=22.12.0"),
        (">=14", "node:18", ""),
        ("^90", "node:18", ""),
    ],
)
def test_node_fits_the_locked_packages(vite: str, image: str, why: str) -> None:
    files = {
        "package.json": json.dumps({"engines": {"node": ">=18"}, "devDependencies": {"vite": "8"}}),
        "package-lock.json": json.dumps({"packages": {"node_modules/vite": {"engines": {"node": vite}}}}),
    }
    images = {"node18": "node:18", "node20": "node:20"} if why else {"node18": "node:18"}
    plan = make_plan(files, images=images)
    assert plan.image == image
    assert why in " ".join((*plan.reasons, *(command.why for command in plan.setup)))


@pytest.mark.parametrize(
    ("manager", "command"), [("pnpm@9.1.0", "pnpm install"), ("yarn@1.22.0", "yarn install"), ("", "pnpm install")]
)
def test_package_manager_of_the_manifest_is_used(manager: str, command: str) -> None:
    files = {"package.json": json.dumps({"packageManager": manager}), "yarn.lock": "", "pnpm-lock.yaml": ""}
    assert command in " ".join(commands(make_plan(files)))


@pytest.mark.parametrize(("named", "image"), [('rust-version = "1.80"', "rust:1.85"), ("", "rust:1.70")])
def test_rust_version_selects_image(named: str, image: str) -> None:
    files = {"Cargo.toml": f'[package]\nname = "a"\n{named}\n'}
    assert make_plan(files, images={"rust": "rust:1.70", "rust1.85": "rust:1.85"}).image == image


def test_manifests_in_subfolder_are_installed_there() -> None:
    files = {
        "README": "",
        "python/setup.py": "setup(name='x')",
        "python/requirements.txt": "",
        "python/test_x.py": PYTEST,
    }
    result = make_plan({**files, "site/package.json": "{}"})
    assert commands(result)[1:] == [
        "cd python && pip install -e .",
        "cd python && pip install -r requirements.txt",
        "cd python && pip install pytest",
    ]
    assert result.folder == "python/"
    assert {"python/setup.py", "python/requirements.txt"} <= set(result.inputs)


def test_repository_without_manifests_has_default_image() -> None:
    result = make_plan({"README": "hello"})
    assert (result.image, result.built) == ("py", False)


def test_dockerfile_comes_first_and_derived_commands_follow() -> None:
    docker = "FROM python:3.9-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    result = make_plan({"Dockerfile": docker, "requirements.txt": "six\n", "pyproject.toml": PYPROJECT})
    assert result.image == "python:3.9-slim"
    assert result.source == "Dockerfile"
    texts = commands(result)
    assert "cd /app && pip install -r requirements.txt" in texts
    assert texts.index(f"python3 -m venv --system-site-packages {VENV}") < texts.index("pip install -e .")
    assert {"Dockerfile", "requirements.txt"} <= set(result.inputs)
    assert result.instead
    assert result.instead.image == "py"


def test_devcontainer_is_preferred_to_dockerfile() -> None:
    config = '{// comment\n "image": "mcr.microsoft.com/devcontainers/go:1", "postCreateCommand": "make deps",'
    config += ' "containerEnv": {"A": "b"},}'
    result = make_plan({".devcontainer/devcontainer.json": config, "Dockerfile": "FROM x\n", "go.mod": "module x\n"})
    assert result.image == "mcr.microsoft.com/devcontainers/go:1"
    assert commands(result)[0] == "make deps"
    assert result.setup[0].optional
    assert result.variables["A"] == "b"


def test_unreadable_sources_are_skipped_and_reported() -> None:
    result = make_plan(
        {
            ".devcontainer.json": "{",
            "Dockerfile": "FROM a AS b\nFROM scratch\nCOPY --from=b /x /y\n",
            "go.mod": "module x\n",
        }
    )
    assert result.image == "gopher"
    assert any(".devcontainer.json is not valid JSON" in message for message in result.refused)
    assert any("Dockerfile copies from another stage" in message for message in result.refused)
