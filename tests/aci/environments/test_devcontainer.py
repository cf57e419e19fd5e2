"""What of a devcontainer is taken, what is refused by name, and that nothing in it can break its reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.environments import devcontainer
from aci.environments.devcontainer import COMMANDS, REFUSED, Devcontainer
from aci.environments.json_comments import parse_json_comments

PATH = ".devcontainer/devcontainer.json"


def read(said: Any, **files: str) -> Devcontainer:
    text = said if isinstance(said, str) else json.dumps(said)
    tree = {PATH: text.encode(), **{path.replace("__", "/"): body.encode() for path, body in files.items()}}
    found = devcontainer.find_devcontainer(tree)
    assert found
    return found


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("make deps && echo", ["make deps && echo"]),
        (["echo", "a b"], ["echo 'a b'"]),
        ({"one": "make", "two": ["echo", "x"]}, ["make", "echo x"]),
        ("", []),
        (7, []),
        ([], []),
        ([1], []),
        ({"one": {"two": "three"}}, []),
    ],
)
def test_commands_in_their_three_forms(value: Any, wanted: list[str]) -> None:
    assert [command.text for command in read({"image": "x", "postCreateCommand": value}).commands] == wanted


def test_commands_run_in_their_order_and_where_repository_is() -> None:
    found = read(
        {"postCreateCommand": "c ${containerWorkspaceFolder}/x", "onCreateCommand": "a", "updateContentCommand": "b"}
    )
    assert [command.text for command in found.commands] == ["a", "b", "c /workspace/repo/x"]
    assert all(command.optional for command in found.commands)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_reaches_for_more_is_refused_by_name(name: str) -> None:
    found = read({"image": "x", name: ["--privileged"]})
    assert [one for one in found.refused if one.startswith(f"{name} in {PATH}:")]
    assert found.image == "x"
    assert not found.commands


def test_what_is_false_is_not_refused() -> None:
    assert read({"image": "x", "privileged": False, "features": {}, "mounts": []}).refused == ()


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("localhost:5000/x", "public"),
        ("10.0.0.1/x/y:1", "public"),
        ("registry.local:443/x", "public"),
        ("router.lan/x", "public"),
        ("metadata.google.internal/x", "public"),
        ("0x7f.1/x", "public"),
        ("ROUTER/x", "public"),
        ("rOUTER/x", "public"),
        ("docker.io:5000/x", "public"),
        ("--privileged", "not a valid"),
        ("a b", "not a valid"),
        ("${localEnv:IMAGE}", "not a valid"),
        ("", "not a valid"),
        (["x"], "not a string"),
    ],
)
def test_images_that_are_not_taken(image: Any, why: str) -> None:
    found = read({"image": image})
    assert (found.image, found.dockerfile) == ("", None)
    assert why in found.refused[0]


@pytest.mark.parametrize(
    "image",
    [
        "python",
        "mine:1",
        "swe-agent-base:latest",
        "me/x",
        "docker.io/me/x",
        "python:3.12",
        "ghcr.io/a/b:1",
        "mcr.microsoft.com/devcontainers/python:1-3.12",
        "a@sha256:" + "0" * 64,
    ],
)
def test_images_that_are_taken(image: str) -> None:
    assert read({"image": image}).image == image


def test_dockerfile_with_context_arguments_and_target() -> None:
    build = {
        "dockerfile": "Dockerfile",
        "context": "..",
        "args": {"A": "1", "B": 2},
        "target": "dev",
        "options": ["--network=host"],
    }
    found = read({"build": build, "image": "ignored"}, **{".devcontainer__Dockerfile": "FROM x"})
    assert found.dockerfile
    assert (found.dockerfile.path, found.dockerfile.context) == (".devcontainer/Dockerfile", "")
    assert (found.dockerfile.target, found.dockerfile.args) == ("dev", {"A": "1"})
    assert any(one.startswith("build.options in") for one in found.refused)


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd", "../../../x", "no/such"])
def test_dockerfile_that_is_not_in_repository(place: str) -> None:
    found = read({"build": {"dockerfile": place}})
    assert (found.image, found.dockerfile) == ("", None)
    assert len(found.refused) == 1


def test_variables_are_plain_values() -> None:
    said = {
        "A": "1",
        "PATH": "/x",
        "B": "${localEnv:HOME}",
        "C D": "x",
        "E": 5,
        "F": None,
        "G": "${containerWorkspaceFolder}/g",
    }
    found = read({"image": "x", "containerEnv": said, "remoteEnv": {"H": "h"}})
    assert found.variables == {"A": "1", "G": "/workspace/repo/g", "H": "h"}
    assert len(found.refused) == 4


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"image": "x" "y"}', "[" * 100_000])
def test_what_is_no_configuration_is_one_sentence(text: str) -> None:
    found = read(text)
    assert (found.image, found.dockerfile) == ("", None)
    assert len(found.refused) == 1


def test_line_of_mistake_is_told_through_comments() -> None:
    with pytest.raises(ValueError, match="line 4"):
        parse_json_comments('{ // one\n/* two\nthree */ "a": 1,\n "b" 2}')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "// no", "b": "/* no */", "c": "\\\\\\"// no"}', {"a": "// no", "b": "/* no */", "c": '\\"// no'}),
        ('{"a": [1, 2, /* three */], // four\n}', {"a": [1, 2]}),
        ('\ufeff{"a": ",}"}', {"a": ",}"}),
    ],
)
def test_comments_and_commas(text: str, value: Any) -> None:
    assert parse_json_comments(text) == value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(["image", "build", "dockerFile", "context", "containerEnv", "remoteEnv", *COMMANDS, *REFUSED])


@pytest.mark.slow
@given(VALUES)
def test_what_json_writes_is_read_as_it_is(value: Any) -> None:
    assert parse_json_comments(json.dumps(value, indent=1)) == value


@given(st.dictionaries(NAMES, VALUES | st.fixed_dictionaries({"dockerfile": st.text(max_size=20)}), max_size=8))
def test_no_configuration_breaks_reader_or_gets_word_past_it(said: dict[str, Any]) -> None:
    found = read(said)
    assert not found.image or devcontainer.image_refusal(found.image) == ""
    assert found.dockerfile is None
    assert "PATH" not in found.variables
    assert all(name in "".join(found.refused) for name in REFUSED if said.get(name))


@given(st.text(max_size=200))
def test_no_text_breaks_reader(text: str) -> None:
    assert read(text).path == PATH
