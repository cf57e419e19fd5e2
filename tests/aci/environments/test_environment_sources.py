"""Where an environment is found, from nothing but files: no Docker, nothing is run."""

from __future__ import annotations

import pytest

from aci.environments.environment_plan import VENV, EnvironmentOptions, Plan
from aci.environments.environment_sources import plan_environment

IMAGES = {"python": "py", "node": "js", "go": "gopher", "rust": "crab"}
PYTEST = "import pytest\n\n\ndef test_it():\n    pass\n"
PYPROJECT = '[build-system]\nrequires = ["setuptools"]\n[project]\nname = "x"\n'


def plan(files: dict[str, str], **wished: object) -> Plan:
    return plan_environment(
        {path: text.encode() for path, text in files.items()}, EnvironmentOptions(**{"images": IMAGES, **wished})
    )  # type: ignore[arg-type]


def commands(found: Plan) -> list[str]:
    return [command.text for command in found.setup]


def test_image_that_is_named_is_taken_as_it_is() -> None:
    found = plan({"pyproject.toml": PYPROJECT}, image="mine:1", named={"image": "--image"})
    assert (found.image, found.setup, found.built) == ("mine:1", (), False)
    assert "--image" in found.reasons[0]


def test_set_up_that_is_named_takes_place_of_what_is_derived() -> None:
    found = plan({"pyproject.toml": PYPROJECT, "scripts/prepare.sh": "x"}, setup="sh scripts/prepare.sh")
    assert commands(found) == [f"python3 -m venv {VENV}", "sh scripts/prepare.sh"]
    assert "scripts/prepare.sh" in found.inputs
    assert commands(plan({}, image="mine", setup="make deps")) == ["make deps"]


def test_package_with_extra_for_tests() -> None:
    extras = PYPROJECT + '[project.optional-dependencies]\ndocs = ["sphinx"]\ntests = ["nose"]\n'
    found = plan({"pyproject.toml": extras, "tests/test_x.py": PYTEST})
    assert commands(found) == [f"python3 -m venv {VENV}", "pip install -e '.[tests]'", "pip install pytest"]
    assert found.paths == (f"{VENV}/bin",)
    assert found.language == "python"
    assert found.image == "py"


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
def test_what_tests_need_is_found_wherever_it_is_said(name: str, text: str, wanted: str) -> None:
    found = plan({name: text, "x.py": ""})
    assert f"pip install {wanted}" in commands(found)
    assert name in found.inputs


def test_what_setup_py_computes_is_not_run() -> None:
    source = "import os\nos.system('touch /tmp/ran')\nsetup(extras_require={'test': open('x').read(), 'dev': ['a']})\n"
    assert "pip install -e '.[test]'" in commands(plan({"setup.py": source}))


def test_lists_of_requirements() -> None:
    files = {
        "requirements.txt": "a",
        "requirements/test.txt": "b",
        "requirements-dev.txt": "c",
        "docs/requirements.txt": "d",
    }
    found = plan({**files, "x.py": ""})
    installed = [line for line in commands(found) if " -r " in line]
    assert installed == [f"pip install -r {name}" for name in ("requirements.txt", "requirements/test.txt")]


def test_without_pytest_nothing_is_installed_for_unittest() -> None:
    found = plan({"shop.py": "", "test_shop.py": "import unittest\n"})
    assert (found.setup, found.built, found.image) == ((), False, "py")


def test_version_that_asks_git_is_told_one() -> None:
    found = plan({"pyproject.toml": '[build-system]\nrequires = ["setuptools_scm"]\n'}, version="4.2")
    assert found.variables["SETUPTOOLS_SCM_PRETEND_VERSION"] == "4.2"


@pytest.mark.parametrize(
    ("said", "image"),
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
def test_version_of_python_picks_image(said: str, image: str) -> None:
    assert plan({"pyproject.toml": f"{PYPROJECT}{said}\n"}, images={}).image == image


def test_images_of_users_own_for_versions() -> None:
    images = {"python": "mine:1", "python3.9": "mine-39", "python3.11": "mine-311"}
    assert plan({"pyproject.toml": f'{PYPROJECT}requires-python = "<3.10"'}, images=images).image == "mine:1"
    assert plan({".python-version": "3.11.4\n", "x.py": ""}, images=images).image == "mine-311"
    del images["python"]
    assert plan({"pyproject.toml": f'{PYPROJECT}requires-python = "<3.10"'}, images=images).image == "mine-39"


@pytest.mark.parametrize(
    ("files", "image", "first"),
    [
        ({"package.json": "{}", "package-lock.json": "{}"}, "js", "npm ci"),
        ({"package.json": "{}", "yarn.lock": ""}, "js", "npm install --global yarn"),
        ({"package.json": "{}", "pnpm-lock.yaml": ""}, "js", "npm install --global pnpm"),
        ({"package.json": "no json"}, "js", "npm install"),
        ({"go.mod": "module x\n\ngo 1.21\n"}, "gopher", "go mod download"),
        ({"Cargo.toml": "[package]\n"}, "crab", "cargo fetch"),
    ],
)
def test_other_languages(files: dict[str, str], image: str, first: str) -> None:
    found = plan({**files, "tool.py": "import sys\n"})
    assert found.image == image
    assert commands(found)[0].startswith(first)
    assert set(files) <= set(found.inputs)


@pytest.mark.parametrize(
    ("asked", "image"),
    [(">=18", "node:22"), ("^16.3.0", "node:16"), ("14.x || 16.x", "node:16"), (">=14 <19", "node:18")],
)
def test_version_of_node_picks_image(asked: str, image: str) -> None:
    assert plan({"package.json": f'{{"engines": {{"node": "{asked}"}}}}'}, images={}).image == image


def test_manifests_in_folder_below() -> None:
    files = {
        "README": "",
        "python/setup.py": "setup(name='x')",
        "python/requirements.txt": "",
        "python/test_x.py": PYTEST,
    }
    found = plan({**files, "site/package.json": "{}"})
    assert commands(found)[1:] == [
        "cd python && pip install -e .",
        "cd python && pip install -r requirements.txt",
        "cd python && pip install pytest",
    ]
    assert found.folder == "python/"
    assert {"python/setup.py", "python/requirements.txt"} <= set(found.inputs)


def test_repository_that_says_nothing() -> None:
    found = plan({"README": "hello"})
    assert (found.image, found.built) == ("py", False)


def test_dockerfile_comes_before_what_files_imply_and_what_they_imply_comes_on_top() -> None:
    docker = "FROM python:3.9-slim\nWORKDIR /app\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n"
    found = plan({"Dockerfile": docker, "requirements.txt": "six\n", "pyproject.toml": PYPROJECT})
    assert found.image == "python:3.9-slim"
    assert found.source == "Dockerfile"
    texts = commands(found)
    assert "cd /app && pip install -r requirements.txt" in texts
    assert texts.index(f"python3 -m venv --system-site-packages {VENV}") < texts.index("pip install -e .")
    assert {"Dockerfile", "requirements.txt"} <= set(found.inputs)
    assert found.instead
    assert found.instead.image == "py"


def test_devcontainer_comes_before_dockerfile() -> None:
    config = '{// comment\n "image": "mcr.microsoft.com/devcontainers/go:1", "postCreateCommand": "make deps",'
    config += ' "containerEnv": {"A": "b"},}'
    found = plan({".devcontainer/devcontainer.json": config, "Dockerfile": "FROM x\n", "go.mod": "module x\n"})
    assert found.image == "mcr.microsoft.com/devcontainers/go:1"
    assert commands(found)[0] == "make deps"
    assert found.setup[0].optional
    assert found.variables["A"] == "b"


def test_what_cannot_be_read_is_passed_over_and_named() -> None:
    found = plan(
        {
            ".devcontainer.json": "{",
            "Dockerfile": "FROM a AS b\nFROM scratch\nCOPY --from=b /x /y\n",
            "go.mod": "module x\n",
        }
    )
    assert found.image == "gopher"
    assert any(".devcontainer.json is not valid JSON" in one for one in found.refused)
    assert any("Dockerfile copies from another stage" in one for one in found.refused)
