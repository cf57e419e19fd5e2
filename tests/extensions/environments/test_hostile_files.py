"""Malicious files of a repository that could hang their reader or crash it."""

from __future__ import annotations

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from extensions.environments.environment_sources import plan_environment
from extensions.environments.manifests.devcontainer import Dockerfile
from extensions.environments.manifests.dockerfile import UnusableDockerfile, read_dockerfile
from extensions.environments.manifests.json_comments import parse_json_comments
from extensions.environments.manifests.python_manifests import Manifests
from extensions.environments.service_proposals import find_proposals

pytestmark = pytest.mark.timeout(20)

DIGITS = "9" * 5000
PROJECT = '[project]\nname = "x"\n'


def manifests(name: str, text: str) -> Manifests:
    return Manifests({name: text.encode()})


@pytest.mark.parametrize(
    "text",
    ['{"a":1,' + "/**/" * 100_000 + "x", "/*" * 200_000, '"\\"' * 100_000, ", " * 100_000 + "x", DIGITS],
    ids=["comments", "open comments", "open strings", "commas", "digits"],
)
def test_invalid_json_is_refused_quickly(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json_comments(text)


def test_name_of_compose_file_is_matched_quickly() -> None:
    assert find_proposals({"compose" + ".a-" * 60 + "!": b""}) == []
    assert [
        proposal.image
        for proposal in find_proposals({"compose-x.dev.yml": b"services:\n  db:\n    image: postgres:16\n"})
    ]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["ENV A=aa", *["ENV A=$A$A"] * 40], "too long"),
        (["ARG A=aa", *["ARG A=$A$A"] * 40], "too long"),
        (["ENV A=" + "a" * 9000, *["RUN true"] * 200], "million"),
        ([f"ENV A{number}=1" for number in range(300)], "too many variables"),
        (["USER x"] * 2000, "more than 1000 instructions"),
        (["RUN " + "a" * 200_000], "too long"),
        (["ENV A=" + "a" * 9999, *[f"WORKDIR {'$A' * 4}"]], "too long"),
    ],
)
def test_dockerfile_of_excessive_size_is_refused(lines: list[str], why: str) -> None:
    with pytest.raises(UnusableDockerfile, match=why):
        read_dockerfile(Dockerfile("Dockerfile"), {"Dockerfile": "\n".join(["FROM x", *lines]).encode()})


def test_groups_that_include_each_other_are_resolved_once() -> None:
    names = [f"g{number}" for number in range(12)]
    every = ", ".join(f'{{include-group = "{name}"}}' for name in [*names, "test"])
    text = "[dependency-groups]\n" + "".join(f'{name} = ["{name}", {every}]\n' for name in [*names, "test"])
    group = dict(manifests("pyproject.toml", text).groups())["[dependency-groups] test"]
    assert sorted(group) == sorted([*names, "test"])


def test_long_chain_of_groups_is_resolved() -> None:
    text = "[dependency-groups]\ntest = [{include-group = 'g0'}]\n"
    text += (
        "".join(f"g{number} = [{{include-group = 'g{number + 1}'}}]\n" for number in range(3000)) + "g3000 = ['x']\n"
    )
    assert dict(manifests("pyproject.toml", text).groups())["[dependency-groups] test"] == ["x"]


def test_setup_py_names_that_grow_exponentially_are_limited() -> None:
    lines = ["a0 = ['x', 'y']", *[f"a{number + 1} = [a{number}, a{number}]" for number in range(60)]]
    source = "\n".join([*lines, "setup(name='x', extras_require={a60: ['b'], 'test': ['c']})"])
    assert manifests("setup.py", source).extras() == {"test"}


def test_tox_references_that_multiply_are_limited() -> None:
    text = "[base]\ndeps = " + "x" * 500_000 + "\n[testenv]\ndeps = " + "{[base]deps}" * 20_000 + "{[" * 100_000
    assert sum(map(len, manifests("tox.ini", text).tox_requirements())) < 20_000_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_python_version", DIGITS),
        ("go__mod", f"module x\n\ngo {DIGITS}.1\n"),
        ("package__json", f'{{"engines": {{"node": ">={DIGITS}"}}}}'),
        ("package__json", f'{{"engines": {DIGITS}}}'),
        ("package__json", f'{{"engines": {{"node": "{">" * 100}{"9" * 50}"}}}}'),
        ("pyproject__toml", f'{PROJECT}requires-python = ">={DIGITS}"\n'),
        ("pyproject__toml", f'[tool.poetry]\nname = "x"\n[tool.poetry.dependencies]\npython = "^{DIGITS}"\n'),
        ("pyproject__toml", f'{PROJECT}classifiers = ["Programming Language :: Python :: 3.{DIGITS}"]\n'),
        ("pyproject__toml", f"{PROJECT}a = {DIGITS}\n"),
        ("pyproject__toml", f"{PROJECT}a = {'[' * 20_000}"),
        ("pyproject__toml", f"{PROJECT}[dependency-groups]\ntest = 3\n"),
        ("setup__py", "a" + ".b" * 900 + "()\nsetup(name='x')\n"),
    ],
)
def test_invalid_version_is_skipped(name: str, text: str) -> None:
    path = name.replace("_python", ".python").replace("__", ".")
    files = {path: text.encode(), "tool.py": b"import sys\n", "test_tool.py": b"import pytest\n"}
    plan = plan_environment(files, EnvironmentOptions())
    assert plan.image
    assert max(map(len, plan.reasons), default=0) < 1000


def test_setup_call_with_dotted_name_is_found() -> None:
    assert manifests("setup.py", "import setuptools\nsetuptools.setup(tests_require=['a'])").setup_call
