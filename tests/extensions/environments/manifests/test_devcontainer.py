"""Devcontainers: the accepted and the refused properties, and robustness against any content."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.environments.registries import image_refusal
from extensions.environments.manifests import devcontainer
from extensions.environments.manifests.devcontainer import COMMANDS, REFUSED, Devcontainer
from extensions.environments.manifests.json_comments import parse_json_comments

PATH = ".devcontainer/devcontainer.json"


def read_config(content: Any, **files: str) -> Devcontainer:
    text = content if isinstance(content, str) else json.dumps(content)
    tree = {PATH: text.encode(), **{path.replace("__", "/"): body.encode() for path, body in files.items()}}
    result = devcontainer.find_devcontainer(tree)
    assert result
    return result


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
def test_command_may_be_string_list_or_object(value: Any, wanted: list[str]) -> None:
    assert [command.text for command in read_config({"image": "x", "postCreateCommand": value}).commands] == wanted


def test_commands_run_in_order_of_lifecycle_with_workspace_folder() -> None:
    config = read_config(
        {"postCreateCommand": "c ${containerWorkspaceFolder}/x", "onCreateCommand": "a", "updateContentCommand": "b"}
    )
    assert [command.text for command in config.commands] == ["a", "b", "c /workspace/repo/x"]
    assert all(command.optional for command in config.commands)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_privileged_property_is_refused_by_name(name: str) -> None:
    config = read_config({"image": "x", name: ["--privileged"]})
    assert [message for message in config.refused if message.startswith(f"{name} in {PATH}:")]
    assert config.image == "x"
    assert not config.commands


def test_false_or_empty_property_is_not_refused() -> None:
    assert read_config({"image": "x", "privileged": False, "features": {}, "mounts": []}).refused == ()


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
def test_image_is_refused(image: Any, why: str) -> None:
    config = read_config({"image": image})
    assert (config.image, config.dockerfile) == ("", None)
    assert why in config.refused[0]


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
def test_image_is_accepted(image: str) -> None:
    assert read_config({"image": image}).image == image


def test_dockerfile_has_context_arguments_and_target() -> None:
    build = {
        "dockerfile": "Dockerfile",
        "context": "..",
        "args": {"A": "1", "B": 2},
        "target": "dev",
        "options": ["--network=host"],
    }
    config = read_config({"build": build, "image": "ignored"}, **{".devcontainer__Dockerfile": "FROM x"})
    assert config.dockerfile
    assert (config.dockerfile.path, config.dockerfile.context) == (".devcontainer/Dockerfile", "")
    assert (config.dockerfile.target, config.dockerfile.args) == ("dev", {"A": "1"})
    assert any(message.startswith("build.options in") for message in config.refused)


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "../../../x", "no/such"])
def test_dockerfile_outside_repository_is_refused(path: str) -> None:
    config = read_config({"build": {"dockerfile": path}})
    assert (config.image, config.dockerfile) == ("", None)
    assert len(config.refused) == 1


def test_only_variables_with_plain_values_are_accepted() -> None:
    variables = {
        "A": "1",
        "PATH": "/x",
        "B": "${localEnv:HOME}",
        "C D": "x",
        "E": 5,
        "F": None,
        "G": "${containerWorkspaceFolder}/g",
    }
    config = read_config({"image": "x", "containerEnv": variables, "remoteEnv": {"H": "h"}})
    assert config.variables == {"A": "1", "G": "/workspace/repo/g", "H": "h"}
    assert len(config.refused) == 4


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"image": "x" "y"}', "[" * 100_000])
def test_invalid_configuration_is_refused_with_one_message(text: str) -> None:
    config = read_config(text)
    assert (config.image, config.dockerfile) == ("", None)
    assert len(config.refused) == 1


def test_error_has_line_number_despite_comments() -> None:
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
def test_comments_and_trailing_commas_are_removed(text: str, value: Any) -> None:
    assert parse_json_comments(text) == value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(["image", "build", "dockerFile", "context", "containerEnv", "remoteEnv", *COMMANDS, *REFUSED])


@pytest.mark.slow
@given(VALUES)
def test_plain_json_is_parsed_unchanged(value: Any) -> None:
    assert parse_json_comments(json.dumps(value, indent=1)) == value


@pytest.mark.slow
@given(st.dictionaries(NAMES, VALUES | st.fixed_dictionaries({"dockerfile": st.text(max_size=20)}), max_size=8))
def test_no_configuration_crashes_reader_or_evades_refusal(properties: dict[str, Any]) -> None:
    config = read_config(properties)
    assert not config.image or image_refusal(config.image) == ""
    assert config.dockerfile is None
    assert "PATH" not in config.variables
    assert all(name in "".join(config.refused) for name in REFUSED if properties.get(name))


@given(st.text(max_size=200))
def test_no_text_crashes_reader(text: str) -> None:
    assert read_config(text).path == PATH
